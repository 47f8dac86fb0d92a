/** A target of fuzzing: one reader of untrusted bytes, and the laws it keeps for all inputs. */
import assert from "node:assert/strict";

export interface Target {
  readonly name: string;
  /** Inputs to begin with: small, whole and good. */
  readonly seeds: readonly Uint8Array[];
  /** Meaningful pieces to insert into inputs. Latin-1. */
  readonly words?: readonly string[];
  /** The documented error classes of the reader, without their subclasses. */
  readonly errors?: readonly (new (
    ...args: never[]
  ) => Error)[];
  /** An input takes many milliseconds: this target gets fewer. */
  readonly isSlow?: boolean;
  /** Reads one input. Returns what it found, as plain data for `checkFound`. Throws where a law is broken. */
  run(bytes: Uint8Array): unknown;
}

/** The longest message of an error that is documented. */
const MAX_MESSAGE = 1000;

/**
 * Reads an input twice and checks the laws that hold for every target: only documented errors, twice the same, only numbers that
 * count something. Throws an Error where one is broken.
 */
export async function checkInput(target: Target, bytes: Uint8Array): Promise<void> {
  const found = await read(target, bytes);
  checkFound(found);
  assert.deepEqual(await read(target, bytes), found, "read twice, the same bytes give two results");
}

/** Gives each reading its own copy, which it may change. */
async function read(target: Target, bytes: Uint8Array): Promise<unknown> {
  try {
    return await target.run(bytes.slice());
  } catch (error) {
    if (!target.errors?.some((type) => (error as Error).constructor === type)) throw error;
    const { message } = error as Error;
    assert.ok(message.length <= MAX_MESSAGE, `an error's message has ${message.length} characters`);
    return { refused: message };
  }
}

/** Throws where a value, however deep, is NaN, negative or undefined. */
export function checkFound(value: unknown, place = "found"): void {
  if (typeof value === "number") assert.ok(value >= 0, `${place} is ${value}`);
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) checkFound(item, `${place}[${i}]`);
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) checkFound(item, `${place}.${key}`);
  else assert.notEqual(value, undefined, `${place} is undefined`);
}

/** Bytes of a text, a letter a byte. */
export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "latin1"));
}

/** The text of bytes that are said to be UTF-8. */
export function utf8(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("utf8");
}
