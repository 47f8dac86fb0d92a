/**
 * `npm run fuzz [target...] [-- runs]`: fuzzes with new inputs every time, each target so many runs. `npm run fuzz <target> <file>`
 * reads one input again. Ends with 1 where a law was broken.
 */
import { createHash, randomInt } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Coverage } from "./coverage.fuzz.js";
import { fuzz } from "./fuzz.fuzz.js";
import { MAX_INPUT } from "./mutate.fuzz.js";
import { checkInput } from "./target.fuzz.js";
import { loadTargets } from "./targets.fuzz.js";

const DEFAULT_RUNS = 100_000;
/** Where findings go. */
const FOLDER = "out/fuzz";
/** An input read for this long counts as endless. */
const HANG_MS = 60_000;
/** Memory that a target has, all inputs together. */
const HEAP_MB = 1024;

interface Task {
  readonly name: string;
  readonly runs: number;
  readonly seed: number;
  /** Number of the input, its length, and the input. */
  readonly shared: SharedArrayBuffer;
}

/** A worker's message: its progress, or its finding. */
type Told = string | { readonly input: Uint8Array; readonly stack: string };

const say = (line: string) => void process.stdout.write(`${line}\n`);

if (isMainThread) await command(process.argv.slice(2));
else await work(workerData as Task);

async function command(words: readonly string[]): Promise<void> {
  const targets = await loadTargets();
  const known = targets.map(({ name }) => name);
  const chosen = words.filter((word) => known.includes(word));
  const rest = words.filter((word) => !known.includes(word));
  if (chosen.length === 1 && rest.length === 1 && existsSync(rest[0]!)) {
    const target = targets.find(({ name }) => name === chosen[0])!;
    await checkInput(target, new Uint8Array(readFileSync(rest[0]!)));
    say("no law is broken");
    return;
  }
  if (rest.length > 1 || !/^\d{1,9}$/.test(rest[0] ?? "1")) {
    say(`${rest.join(" ")}: neither a target, a number of runs nor, behind one target, a file`);
    say(`targets: ${known.join(" ")}`);
    process.exitCode = 2;
    return;
  }
  for (const name of chosen.length > 0 ? chosen : known)
    if (!(await fuzzApart(name, Number(rest[0] ?? DEFAULT_RUNS)))) process.exitCode = 1;
}

/** Fuzzes in a thread of its own, which may hang or run out of memory. False: something was found. */
async function fuzzApart(name: string, runs: number): Promise<boolean> {
  const shared = new SharedArrayBuffer(8 + MAX_INPUT * 16);
  const seed = randomInt(2 ** 31);
  const task: Task = { name, runs, seed, shared };
  const worker = new Worker(new URL(import.meta.url), {
    workerData: task,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  const head = new Int32Array(shared, 0, 2);
  const current = () => new Uint8Array(shared, 8, head[1]).slice();
  return await new Promise((resolve) => {
    let before = -1;
    const watch = setInterval(() => {
      if (head[0] === before) end(current(), `an input is read for more than ${HANG_MS / 1000} s`);
      before = head[0]!;
    }, HANG_MS);
    const end = (input: Uint8Array | null, problem: string) => {
      clearInterval(watch);
      void worker.terminate();
      if (input !== null) save(name, input, problem);
      resolve(input === null);
    };
    let last = "";
    worker.on("message", (told: Told) => {
      if (typeof told === "string") last = told;
      else end(told.input, told.stack);
    });
    worker.on("error", (error) => end(current(), error.message));
    worker.on("exit", () => {
      say(`${name}: seed ${seed}, ${last}`);
      end(null, "");
    });
  });
}

function save(name: string, input: Uint8Array, problem: string): void {
  const hash = createHash("sha256").update(input).digest("hex").slice(0, 8);
  const file = `${FOLDER}/${name}-${hash}.bin`;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, input);
  say(`${name}: ${problem}`);
  say(`${name}: saved; to read it again: npm run fuzz ${name} ${file}`);
  say(`${name}: once it is mended: mkdir -p fixtures/fuzz/${name} && mv ${file} fixtures/fuzz/${name}/`);
}

async function work({ name, runs, seed, shared }: Task): Promise<void> {
  const head = new Int32Array(shared, 0, 2);
  const space = new Uint8Array(shared, 8);
  const coverage = new Coverage();
  const target = (await loadTargets()).find((one) => one.name === name)!;
  const tell = (told: Told) => parentPort!.postMessage(told);
  const finding = await fuzz(target, {
    coverage,
    runs,
    seed,
    onInput(input) {
      head[1] = Math.min(input.length, space.length);
      space.set(input.subarray(0, space.length));
      head[0]!++;
    },
    onProgress: (done, kept) => tell(`${done} inputs, ${kept} kept`),
  });
  coverage.close();
  if (finding !== null) tell({ input: finding.input, stack: finding.error.stack ?? finding.error.message });
}
