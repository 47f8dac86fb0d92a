/** Labels of flows: each end of each flow gets the number of a label; equal labels have one number. */
import type { Names } from "../../capture/names/names.js";
import type { FlowTable } from "./flows.js";
import { Keys } from "./keys.js";
import { numbers, Sorter } from "./order.js";
import type { Scratch } from "./scratch.js";

/** Up to so many labels, their texts are kept once made: a label stands in many rows. */
const TEXTS_KEPT = 50_000;

/**
 * The labels of a flow table's ends, as small whole numbers: a name where `names` has one, else the address itself.
 * Built once, in linear time, without a string per address: 8 bytes an end and 4 an address, and some 40 an address while it is built.
 * An end is 2 * flow for a, and one more for b. Valid until the table changes.
 */
export class Labels {
  readonly count: number;
  /** Number of the label `rest` for ends without a name, or -1. */
  readonly rest: number;
  readonly #flows: FlowTable;
  readonly #ends: Int32Array;
  /** For a label that is an address: an end that has it. For a name: -1. */
  readonly #example: Int32Array;
  readonly #names: string[] = [];
  readonly #texts: (string | undefined)[] = [];
  readonly #scratch: Scratch;
  /** The places of all labels, or of the names alone. */
  #places: Int32Array | null = null;

  constructor(flows: FlowTable, names: Names | null, scratch: Scratch) {
    this.#flows = flows;
    this.#scratch = scratch;
    const { ends, examples } = numberAddresses(flows);
    this.#ends = ends;
    if (names === null) {
      this.#example = examples;
      this.count = examples.length;
      this.rest = -1;
      return;
    }
    // Names come first, in order of their first use; then the addresses that have none.
    const labelOfName = new Map<string, number>();
    const intern = (name: string): number => {
      let label = labelOfName.get(name);
      if (label === undefined) {
        label = this.#names.push(name) - 1;
        labelOfName.set(name, label);
      }
      return label;
    };
    const rest = names.rest === null ? -1 : intern(names.rest);
    const varying = -2;
    const labelOfAddress = new Int32Array(examples.length);
    for (let i = 0; i < examples.length; i++) {
      const text = this.#addressOf(examples[i]!);
      const name = names.varies(text) ? undefined : names.find(text, null, null);
      labelOfAddress[i] = name === undefined ? varying : name === null ? rest : intern(name);
    }
    for (let end = 0; end < ends.length; end++) {
      if (labelOfAddress[ends[end]!] !== varying) continue;
      const port = flows.port(end >> 1, (end & 1) === 1);
      const name = names.find(this.#addressOf(end), port, flows.startUs(end >> 1));
      if (name !== null || rest >= 0) ends[end] = ~(name === null ? rest : intern(name));
    }
    const named = this.#names.length;
    const example = new Int32Array(named + examples.length).fill(-1, 0, named);
    let count = named;
    for (let i = 0; i < examples.length; i++) {
      if (labelOfAddress[i]! >= 0) continue;
      example[count] = examples[i]!;
      labelOfAddress[i] = count++;
    }
    for (let end = 0; end < ends.length; end++)
      ends[end] = ends[end]! < 0 ? ~ends[end]! : labelOfAddress[ends[end]!]!;
    this.#example = example.subarray(0, count);
    this.count = count;
    this.rest = rest;
  }

  /** Label of end a (false) or b (true) of flow `flow`. */
  of(flow: number, isB: boolean): number {
    return this.#ends[flow * 2 + (isB ? 1 : 0)]!;
  }

  /** The text of a label. */
  text(label: number): string {
    if (this.count > TEXTS_KEPT) return this.#textOf(label);
    this.#texts[label] ??= this.#textOf(label);
    return this.#texts[label]!;
  }

  #textOf(label: number): string {
    const example = this.#example[label]!;
    return example < 0 ? this.#names[label]! : this.#addressOf(example);
  }

  /** The place of a label in a fixed order: names by code unit, then IPv4 and IPv6 addresses by number. Not every place is taken. */
  placeOf(label: number): number {
    const named = this.#names.length;
    // Without IPv6 an address is its own place.
    this.#places ??= this.#flows.hasIpv6 ? this.#rank() : this.#rankNames(named);
    return label < this.#places.length ? this.#places[label]! : named + this.#addressWord(label, 0);
  }

  #rank(): Int32Array {
    const named = this.#names.length;
    const addresses = numbers(this.count, (label) => label >= named);
    const sorter = new Sorter(addresses, this.#scratch);
    for (let i = 3; i >= 0; i--) sorter.by("ascending", (label) => this.#addressWord(label, i));
    sorter.by("ascending", (label) => this.#flows.version(this.#example[label]! >> 1));
    const ranks = this.#rankNames(this.count);
    addresses.forEach((label, i) => {
      ranks[label] = named + i;
    });
    return ranks;
  }

  /** The names' places, with room for so many in all. */
  #rankNames(room: number): Int32Array {
    const names = this.#names.map((_, label) => label);
    names.sort((x, y) => (this.#names[x]! < this.#names[y]! ? -1 : 1));
    const ranks = new Int32Array(room);
    names.forEach((label, rank) => {
      ranks[label] = rank;
    });
    return ranks;
  }

  /** Word `i` of the address that a label is; an IPv4 address has only word 0. */
  #addressWord(label: number, i: number): number {
    const end = this.#example[label]!;
    if (i > 0 && this.#flows.version(end >> 1) === 4) return 0;
    return this.#flows.addressWord(end >> 1, (end & 1) === 1, i) >>> 0;
  }

  #addressOf(end: number): string {
    return this.#flows.addressText(end >> 1, (end & 1) === 1);
  }
}

/** Numbers the distinct addresses of a flow table: the number of each end's address, and an end that has each address. */
function numberAddresses(flows: FlowTable): { ends: Int32Array; examples: Int32Array } {
  const addresses = new Keys(5);
  const { key } = addresses;
  const ends = new Int32Array(flows.count * 2);
  const examples = new Int32Array(ends.length);
  for (let end = 0; end < ends.length; end++) {
    const flow = end >> 1;
    const version = flows.version(flow);
    key[0] = version;
    for (let i = 0; i < 4; i++)
      key[i + 1] = i === 0 || version === 6 ? flows.addressWord(flow, (end & 1) === 1, i) : 0;
    const known = addresses.count;
    ends[end] = addresses.intern();
    if (ends[end] === known) examples[known] = end;
  }
  return { ends, examples: examples.slice(0, addresses.count) };
}
