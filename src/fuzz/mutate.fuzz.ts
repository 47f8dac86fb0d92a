/** Makes inputs of other inputs. */
import { latin1 } from "./target.fuzz.js";

/** The longest input that is made. */
export const MAX_INPUT = 4096;

/** Bytes at which readers turn. */
const EDGES = [
  0, 1, 2, 3, 4, 7, 8, 16, 31, 32, 63, 64, 127, 128, 129, 254, 255, 0x0a, 0x0d, 0x20, 0x22, 0x2d,
];
/** Numbers of more bytes at which they turn. */
const WIDE = [0, 1, 255, 256, 4096, 16_384, 32_767, 32_768, 65_535, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];
const DECIMALS = ["0", "-1", "00", "1e9", "65535", "65536", "2147483648", "9007199254740993", "1e999", "NaN"];

/** Numbers that look random and are the same for the same seed (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `end`, not inclusive; 0 where `end` is 0. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * end);
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

/** A new input, of `input` and of parts of `other`, changed at 1 to 8 places. */
export function mutate(
  input: Uint8Array,
  other: Uint8Array,
  words: readonly string[],
  chance: Chance,
): Uint8Array {
  let made = input;
  for (let left = 1 << chance.below(4); left > 0; left--) made = change(made, other, words, chance);
  return made.slice(0, MAX_INPUT);
}

function change(input: Uint8Array, other: Uint8Array, words: readonly string[], chance: Chance): Uint8Array {
  const at = chance.below(input.length + 1);
  const length = 1 + chance.below(Math.min(chance.of([4, 16, 256]), input.length - at));
  switch (chance.below(12)) {
    case 0:
      return put(input, at, 1, Uint8Array.of((input[at] ?? 0) ^ (1 << chance.below(8))));
    case 1:
      return put(input, at, 1, Uint8Array.of(chance.below(256)));
    case 2:
      return put(input, at, 1, Uint8Array.of(chance.of(EDGES)));
    case 3:
      return put(input, at, 1, Uint8Array.of((input[at] ?? 0) + chance.of([-1, 1])));
    case 4:
      return put(input, at, length, new Uint8Array(0));
    case 5: // once more, here or elsewhere
      return put(input, chance.below(input.length + 1), 0, input.subarray(at, at + length));
    case 6: // over other bytes of its own
      return put(input, chance.below(input.length + 1), length, input.subarray(at, at + length));
    case 7: {
      const from = chance.below(other.length);
      return put(input, at, chance.of([0, length]), other.subarray(from, from + 1 + chance.below(256)));
    }
    case 8:
      return put(input, at, 0, new Uint8Array(chance.of([1, 2, 4, 8, 64])).fill(chance.of(EDGES)));
    case 9:
      return put(input, at, chance.of([0, length]), latin1(chance.of(DECIMALS)));
    case 10:
      return wide(input, at, chance);
    default:
      return words.length === 0 ? input : put(input, at, chance.of([0, length]), latin1(chance.of(words)));
  }
}

/** The input with `taken` bytes at a place replaced. */
function put(input: Uint8Array, at: number, taken: number, piece: Uint8Array): Uint8Array {
  return Uint8Array.from(Buffer.concat([input.subarray(0, at), piece, input.subarray(at + taken)]));
}

function wide(input: Uint8Array, at: number, chance: Chance): Uint8Array {
  const size = chance.of([2, 4]);
  const piece = new Uint8Array(4);
  const little = chance.below(2) === 0;
  const view = new DataView(piece.buffer);
  if (size === 2) view.setUint16(0, chance.of(WIDE), little);
  else view.setUint32(0, chance.of(WIDE), little);
  return put(input, at, size, piece.subarray(0, size));
}

/** Parts of an input that may be left out, large ones first: for making it smaller. */
export function* shorter(input: Uint8Array): Generator<Uint8Array> {
  for (let size = input.length >> 1; size > 0; size >>= 1)
    for (let at = 0; at < input.length; at += size) yield put(input, at, size, new Uint8Array(0));
}
