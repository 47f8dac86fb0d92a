/** Finds tracked entries by a packet's ends: by the tuple of either direction, in either order of ends. */
import { type ConntrackTable, EntryMeta, Word } from "../../capture/conntrack/conntrack-table.js";
import { IpProtocol } from "../../net.js";
import type { Flow } from "../flow/flows.js";

const NONE = -1;
const IDENTITY = EntryMeta.protocolMask | EntryMeta.ipv6;

/**
 * The tuples of several tables, by open addressing. Tuples are numbered: an entry's orig tuple has an even number, its reply
 * tuple the next. Of equal tuples that of the table named first is found first. Valid until a table changes.
 */
export class EntryIndex {
  /** Entries of all tables. */
  readonly entries: number;
  readonly #words: readonly Int32Array[];
  /** The number of each table's first entry. */
  readonly #first: number[] = [];
  readonly #slots: Int32Array;
  /** The next tuple with the same ends, or NONE. */
  readonly #next: Int32Array;

  constructor(tables: readonly ConntrackTable[]) {
    this.#words = tables.map(({ words }) => words);
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
    const a = flow.sourcePort ?? 0;
    const b = flow.destinationPort ?? 0;
    const hash = endHash(flow.source, 0, ipv6, a) + endHash(flow.destination, 0, ipv6, b);
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = slotOf(hash, meta, mask); slots[slot] !== NONE; slot = (slot + 1) & mask) {
      const tuple = slots[slot]!;
      const words = this.wordsOf(tuple >> 1);
      const at = this.startOf(tuple >> 1);
      if ((words[at + Word.meta]! & IDENTITY) !== meta) continue;
      const source = sourceOf(at, tuple);
      const ports = portsOf(words, at, tuple);
      if (ports === ((a << 16) | b) && sameAddresses(words, source, flow.source, flow.destination, ipv6))
        return tuple;
      if (ports === ((b << 16) | a) && sameAddresses(words, source, flow.destination, flow.source, ipv6))
        return tuple;
    }
    return NONE;
  }

  /** The next tuple with the same ends, or -1. */
  next(tuple: number): number {
    return this.#next[tuple]!;
  }

  /** Which of the tables an entry's number belongs to. */
  tableOf(entry: number): number {
    let table = this.#first.length - 1;
    while (this.#first[table]! > entry) table--;
    return table;
  }

  /** An entry's number in its table. */
  inTable(entry: number): number {
    return entry - this.#first[this.tableOf(entry)]!;
  }

  /** The words of the table that an entry is in. */
  wordsOf(entry: number): Int32Array {
    return this.#words[this.tableOf(entry)]!;
  }

  /** Where an entry's words start. */
  startOf(entry: number): number {
    return this.inTable(entry) * Word.count;
  }

  #add(tuple: number): void {
    const words = this.wordsOf(tuple >> 1);
    const at = this.startOf(tuple >> 1);
    const source = sourceOf(at, tuple);
    const ports = portsOf(words, at, tuple);
    const meta = words[at + Word.meta]! & IDENTITY;
    const ipv6 = (meta & EntryMeta.ipv6) !== 0;
    const hash =
      endHash(words, source, ipv6, ports >>> 16) + endHash(words, source + 4, ipv6, ports & 0xffff);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = slotOf(hash, meta, mask);
    for (; slots[slot] !== NONE; slot = (slot + 1) & mask) {
      if (!this.#same(slots[slot]!, words, at, source, ports)) continue;
      this.#next[tuple] = slots[slot]!;
      break;
    }
    slots[slot] = tuple;
  }

  /** Whether a tuple has the ends of the one whose addresses start at `source`, in whatever order. */
  #same(tuple: number, words: Int32Array, at: number, source: number, ports: number): boolean {
    const ofX = this.wordsOf(tuple >> 1);
    const atX = this.startOf(tuple >> 1);
    if (((ofX[atX + Word.meta]! ^ words[at + Word.meta]!) & IDENTITY) !== 0) return false;
    const portsX = portsOf(ofX, atX, tuple);
    const sourceX = sourceOf(atX, tuple);
    const turned = (ports >>> 16) | (ports << 16);
    return (
      (portsX === ports &&
        sameAddress(ofX, sourceX, words, source) &&
        sameAddress(ofX, sourceX + 4, words, source + 4)) ||
      (portsX === turned &&
        sameAddress(ofX, sourceX, words, source + 4) &&
        sameAddress(ofX, sourceX + 4, words, source))
    );
  }
}

function slotOf(hash: number, meta: number, mask: number): number {
  return (Math.imul(hash ^ meta, 0xc2b2ae35) >>> 7) & mask;
}

/** Where the source's address of a tuple starts, whose entry starts at `at`; the destination's is four words on. */
function sourceOf(at: number, tuple: number): number {
  return at + ((tuple & 1) === 1 ? Word.replySource : Word.origSource);
}

function portsOf(words: Int32Array, at: number, tuple: number): number {
  if (!showsPorts(words[at + Word.meta]! & EntryMeta.protocolMask)) return 0;
  return words[at + ((tuple & 1) === 1 ? Word.replyPorts : Word.origPorts)]!;
}

function sameAddress(x: Int32Array, atX: number, y: Int32Array, atY: number): boolean {
  return (
    x[atX] === y[atY] && x[atX + 1] === y[atY + 1] && x[atX + 2] === y[atY + 2] && x[atX + 3] === y[atY + 3]
  );
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
