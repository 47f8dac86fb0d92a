/**
 * Coverage-guided fuzzing: inputs that run code that has not run before are kept, and further inputs are made of them. V8's own counts
 * say what has run; ARCHITECTURE.md says why no package does this here.
 */
import type { Coverage } from "./coverage.fuzz.js";
import { Chance, mutate, shorter } from "./mutate.fuzz.js";
import { checkInput, type Target } from "./target.fuzz.js";

/** An input that breaks a law, made small, and what is wrong. */
export interface Finding {
  readonly input: Uint8Array;
  readonly error: Error;
}

export interface FuzzOptions {
  /** Begun before the code of the target was loaded. */
  readonly coverage: Coverage;
  /** Inputs that are made and read. */
  readonly runs: number;
  readonly seed: number;
  /** Called with each input before it is read. */
  readonly onInput?: (input: Uint8Array) => void;
  /** Called now and then with the numbers of inputs read and kept. */
  readonly onProgress?: (runs: number, kept: number) => void;
}

/** Inputs between two looks at what has run: a look costs as much as some ten of them. */
const BATCH = 64;
/** Inputs kept; one more takes the place of another. */
const MAX_KEPT = 2000;
/** Of them, those that most new ones are made of. */
const NEWEST = 8;
/** How often one block of code may run for an input that is read twice, and how often more for each of its bytes. */
const STEPS = 200_000;
const STEPS_PER_BYTE = 200;
/** Inputs tried to make a finding smaller. */
const MAX_TRIES = 1000;

/** Fuzzes one target. The same seed makes the same inputs. null: no law was broken. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<Finding | null> {
  const { coverage, runs, seed, onInput = () => {}, onProgress = () => {} } = options;
  const chance = new Chance(seed);
  const kept: Uint8Array[] = [];

  const read = async (inputs: readonly Uint8Array[]): Promise<Finding | null> => {
    for (const input of inputs) {
      onInput(input);
      const error = await problemOf(target, input);
      if (error !== null) return await smaller(target, { input, error });
    }
    const { isNew, steps } = coverage.look(inputs.length === 1);
    const bytes = inputs.reduce((sum, input) => sum + input.length, 0);
    const isLong = steps > STEPS + STEPS_PER_BYTE * bytes;
    if (!isNew && !isLong) return null;
    if (inputs.length > 1) {
      const middle = inputs.length >> 1;
      return (await read(inputs.slice(0, middle))) ?? (await read(inputs.slice(middle)));
    }
    if (isLong) return { input: inputs[0]!, error: new Error(`${steps} steps for ${bytes} bytes`) };
    kept[kept.length < MAX_KEPT ? kept.length : chance.below(MAX_KEPT)] = inputs[0]!;
    return null;
  };

  for (const input of target.seeds) {
    const found = await read([input]);
    if (found !== null) return found;
  }
  if (kept.length === 0) kept.push(target.seeds[0]!);
  const from = () => chance.of(chance.of([target.seeds, kept, kept.slice(-NEWEST), kept.slice(-NEWEST)]));
  for (let done = 0; done < runs; ) {
    const batch = Array.from({ length: Math.min(BATCH, runs - done) }, () =>
      mutate(from(), from(), target.words ?? [], chance),
    );
    const found = await read(batch);
    if (found !== null) return found;
    done += batch.length;
    onProgress(done, kept.length);
  }
  return null;
}

/** The law that reading the input breaks; null: none. */
async function problemOf(target: Target, input: Uint8Array): Promise<Error | null> {
  try {
    await checkInput(target, input);
    return null;
  } catch (error) {
    return error as Error;
  }
}

/** A finding in a part of the input. */
async function smaller(target: Target, finding: Finding): Promise<Finding> {
  let least = finding;
  let tries = 0;
  for (let isSmaller = true; isSmaller; ) {
    isSmaller = false;
    for (const input of shorter(least.input)) {
      if (++tries > MAX_TRIES) return least;
      const error = await problemOf(target, input);
      if (error === null) continue;
      least = { input, error };
      isSmaller = true;
      break;
    }
  }
  return least;
}
