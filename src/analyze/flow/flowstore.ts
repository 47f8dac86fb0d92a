/**
 * The storage of the flow table: open addressing over packed entries in the core's memory, one address family each. The core
 * finds and adds entries; this class reads them.
 *
 * An entry is a run of 32-bit words, then six doubles:
 *
 *     a (1 or 4 words)  b (1 or 4 words)  ports  meta | packetsAb bytesAb packetsBa bytesBa firstUs lastUs
 *
 * a and b are the two ends in a fixed order, so that both directions find the same entry; an IPv4 entry is 64 bytes,
 * one cache line. Entries lie dense in order of arrival; a separate index of 32-bit slots leads to them, at most half full.
 * Cost: 64 bytes (IPv4) or 96 (IPv6) and 8 to 16 bytes of index a flow. See core/layout.ts.
 */
import type { Core } from "../core/core.js";
import { Cell, Double, Entry, Meta } from "../core/layout.js";

export class FlowStore {
  /** 4 or 6. */
  readonly version: 4 | 6;
  /** Words of one address. */
  readonly #addressWords: number;
  /** Index of the `meta` word. */
  readonly #meta: number;
  readonly #entryWords: number;
  readonly #firstDouble: number;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #core: Core;

  constructor(version: 4 | 6, core: Core) {
    this.version = version;
    this.#core = core;
    const isIpv4 = version === 4;
    this.#addressWords = isIpv4 ? 1 : 4;
    this.#meta = (isIpv4 ? Entry.meta4 : Entry.meta6) / 4;
    this.#firstDouble = (this.#meta + 1) / 2;
    this.#entryWords = (isIpv4 ? Entry.bytes4 : Entry.bytes6) / 4;
    const at = isIpv4 ? core.entries4 : core.entries6;
    this.#words = core.words.subarray(at / 4);
    this.#doubles = core.doubles.subarray(at / 8);
  }

  /** Entries there are. */
  get count(): number {
    return this.#core.cells[this.version === 4 ? Cell.flows4 : Cell.flows6]!;
  }

  meta(entry: number): number {
    return this.#words[entry * this.#entryWords + this.#meta]!;
  }

  /** A number below 2^20 that a caller stores with the entry; 0 at first. */
  link(entry: number): number {
    return this.meta(entry) >>> Meta.linkShift;
  }

  setLink(entry: number, link: number): void {
    const at = entry * this.#entryWords + this.#meta;
    this.#words[at] = (this.#words[at]! & ~(Meta.linkMask << Meta.linkShift)) | (link << Meta.linkShift);
  }

  /** Port of end a (false) or b (true). */
  port(entry: number, ofB: boolean): number {
    const ports = this.#words[entry * this.#entryWords + this.#meta - 1]!;
    return ofB ? ports & 0xffff : ports >>> 16;
  }

  /** Word `i` of the address of end a or b. */
  addressWord(entry: number, ofB: boolean, i: number): number {
    return this.#words[entry * this.#entryWords + (ofB ? this.#addressWords : 0) + i]!;
  }

  /** Packets sent by end a or b. */
  packets(entry: number, byB: boolean): number {
    return this.#doubles[this.#double(entry, byB) + Double.packets]!;
  }

  /** Bytes sent by end a or b. */
  bytes(entry: number, byB: boolean): number {
    return this.#doubles[this.#double(entry, byB) + Double.bytes]!;
  }

  /** Time of the earliest packet in microseconds; Infinity where no packet had a time. */
  firstUs(entry: number): number {
    return this.#doubles[this.#double(entry, false) + Double.first]!;
  }

  /** Time of the latest packet; -Infinity where no packet had a time. */
  lastUs(entry: number): number {
    return this.#doubles[this.#double(entry, false) + Double.last]!;
  }

  #double(entry: number, ofB: boolean): number {
    return ((entry * this.#entryWords) >> 1) + this.#firstDouble + (ofB ? Double.reply : 0);
  }

  /** Keeps the entries that `keep` says; the others are gone. `moved` is told whose numbers change. Cost: linear. */
  compact(keep: (entry: number) => boolean, moved: (from: number, to: number) => void): void {
    const { count } = this;
    let kept = 0;
    for (let entry = 0; entry < count; entry++) {
      if (!keep(entry)) continue;
      if (kept !== entry) {
        const from = entry * this.#entryWords;
        this.#words.copyWithin(kept * this.#entryWords, from, from + this.#entryWords);
        moved(entry, kept);
      }
      kept++;
    }
    this.#core.cells[this.version === 4 ? Cell.flows4 : Cell.flows6] = kept;
    this.#core.relink(this.version);
  }

  /** Takes an entry out; the last one takes its number. Cost: a few slots. */
  remove(entry: number): void {
    this.#core.remove(this.version, entry);
  }
}
