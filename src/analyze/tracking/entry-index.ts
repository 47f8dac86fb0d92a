/** Finds tracked entries by what a packet shows of them: the tuple of either direction, whichever end is named first. */
import { type ConntrackTable, EntryMeta, Word } from "../../capture/conntrack/conntrack-table.js";
import { IpProtocol } from "../../net.js";
import type { Flow } from "../flows.js";

const NONE = -1;
const IDENTITY = EntryMeta.protocolMask | EntryMeta.ipv6;

/**
 * The tuples of several tables, by open addressing. Tuples are numbered: an entry's orig tuple has an even number, its reply
 * tuple the next. Of equal tuples that of the table named first is found first. Valid until a table changes.
 */
export class EntryIndex {
  /** Entries of all tables. */
  readonly entries: number;
  readonly #tables: readonly ConntrackTable[];
  /** The number of each table's first entry. */
  readonly #first: number[] = [];
  readonly #slots: Int32Array;
  /** The next tuple with the same ends, or NONE. */
  readonly #next: Int32Array;

  constructor(tables: readonly ConntrackTable[]) {
    this.#tables = tables;
    let entries = 0;
    for (const table of tables) {
      this.#first.push(entries);
      entries += table.count;
    }
    this.entries = entries;
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(entries * 4 + 2))).fill(NONE);
    this.#next = new Int32Array(entries * 2).fill(NONE);
    // The tuple added last heads its list: add in reverse.
    for (let tuple = entries * 2 - 1; tuple >= 0; tuple--) this.#add(tuple);
  }

  /** The tuple of these ends, or -1. A flow whose ports its packets do not show (later fragments) is not found. */
  find(flow: Flow): number {
    if (flow.sourcePort === null && showsPorts(flow.protocol)) return NONE;
    const ipv6 = flow.version === 6;
    const meta = flow.protocol | (ipv6 ? EntryMeta.ipv6 : 0);
    const [a, b] = [flow.sourcePort ?? 0, flow.destinationPort ?? 0];
    const hash = endHash(flow.source, 0, ipv6, a) + endHash(flow.destination, 0, ipv6, b);
    let slot = this.#slotOf(hash, meta);
    for (; this.#slots[slot] !== NONE; slot = (slot + 1) & (this.#slots.length - 1)) {
      const tuple = this.#slots[slot]!;
      const { words, at, source, ports } = this.#read(tuple);
      if ((words[at + Word.meta]! & IDENTITY) !== meta) continue;
      const forward =
        ports === ((a << 16) | b) && sameAddresses(words, source, flow.source, flow.destination, ipv6);
      const backward =
        ports === ((b << 16) | a) && sameAddresses(words, source, flow.destination, flow.source, ipv6);
      if (forward || backward) return tuple;
    }
    return NONE;
  }

  /** The next tuple with the same ends, or -1. */
  next(tuple: number): number {
    return this.#next[tuple]!;
  }

  /** Which of the tables an entry's number belongs to, and its number there. */
  locate(entry: number): { readonly table: number; readonly entry: number } {
    let table = this.#first.length - 1;
    while (this.#first[table]! > entry) table--;
    return { table, entry: entry - this.#first[table]! };
  }

  #add(tuple: number): void {
    const { words, at, source, ports } = this.#read(tuple);
    const meta = words[at + Word.meta]! & IDENTITY;
    const ipv6 = (meta & EntryMeta.ipv6) !== 0;
    const hash =
      endHash(words, source, ipv6, ports >>> 16) + endHash(words, source + 4, ipv6, ports & 0xffff);
    let slot = this.#slotOf(hash, meta);
    for (; this.#slots[slot] !== NONE; slot = (slot + 1) & (this.#slots.length - 1)) {
      if (!this.#same(this.#slots[slot]!, tuple)) continue;
      this.#next[tuple] = this.#slots[slot]!;
      break;
    }
    this.#slots[slot] = tuple;
  }

  #slotOf(hash: number, meta: number): number {
    return (Math.imul(hash ^ meta, 0xc2b2ae35) >>> 7) & (this.#slots.length - 1);
  }

  #read(tuple: number): { words: Int32Array; at: number; source: number; ports: number } {
    const { table, entry } = this.locate(tuple >> 1);
    const words = this.#tables[table]!.words;
    const at = entry * Word.count;
    const reply = (tuple & 1) === 1;
    const hasPorts = showsPorts(words[at + Word.meta]! & EntryMeta.protocolMask);
    return {
      words,
      at,
      source: at + (reply ? Word.replySource : Word.origSource),
      ports: hasPorts ? words[at + (reply ? Word.replyPorts : Word.origPorts)]! : 0,
    };
  }

  #same(tupleX: number, tupleY: number): boolean {
    const x = this.#read(tupleX);
    const y = this.#read(tupleY);
    if (((x.words[x.at + Word.meta]! ^ y.words[y.at + Word.meta]!) & IDENTITY) !== 0) return false;
    const turned = (y.ports >>> 16) | (y.ports << 16);
    const equal = (offset: number, other: number) => {
      for (let i = 0; i < 4; i++)
        if (x.words[x.source + offset + i] !== y.words[y.source + other + i]) return false;
      return true;
    };
    return (
      (x.ports === y.ports && equal(0, 0) && equal(4, 4)) ||
      (x.ports === turned && equal(0, 4) && equal(4, 0))
    );
  }
}

/** Whether a flow of this protocol has ports: a GRE key, for one, is a port to connection tracking only. */
export function showsPorts(protocol: number): boolean {
  return protocol === IpProtocol.tcp || protocol === IpProtocol.udp;
}

function endHash(words: Int32Array, at: number, ipv6: boolean, port: number): number {
  let hash = Math.imul(words[at]! ^ port, 0x85ebca6b);
  if (ipv6) for (let i = 1; i < 4; i++) hash = Math.imul(hash ^ words[at + i]!, 0x85ebca6b) ^ (hash >>> 15);
  return (hash ^ (hash >>> 13)) | 0;
}

function sameAddresses(
  words: Int32Array,
  at: number,
  source: Int32Array,
  destination: Int32Array,
  ipv6: boolean,
): boolean {
  for (let i = 0; i < (ipv6 ? 4 : 1); i++)
    if (words[at + i] !== source[i] || words[at + 4 + i] !== destination[i]) return false;
  return true;
}
