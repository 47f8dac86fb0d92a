/** Labels of the ends of tracked connections. */

import { EntryMeta, Word } from "../../capture/conntrack/conntrack-table.js";
import type { Names } from "../../capture/names/names.js";
import { protocolName } from "../../net.js";
import type { Column, Row } from "../snapshot/snapshot.js";
import { AddressIds } from "./address-ids.js";

/** The columns that identify a connection, in every table of connections. */
export const ENTRY_COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "transport", title: "Transport", kind: "text", short: "Proto", priority: 1 },
  { name: "state", title: "State", kind: "text", priority: 1 },
  { name: "source", title: "Source", kind: "text", priority: 1, with: "source_port" },
  { name: "source_port", title: "Port", kind: "port" },
  { name: "destination", title: "Destination", kind: "text", priority: 1, with: "destination_port" },
  { name: "destination_port", title: "Port", kind: "port" },
  { name: "nat", title: "NAT", kind: "text" },
  { name: "server", title: "Answered by", kind: "text", priority: 1, with: "server_port" },
  { name: "server_port", title: "Port", kind: "port" },
  { name: "seen_as", title: "Source seen as", kind: "text" },
  { name: "seen_as_port", title: "Port", kind: "port" },
];

/** A port where there is none. */
export const NO_PORT = -1;
const UNKNOWN = -1;
const VARIES = -2;

/** Names and texts of addresses held as words, and numbers for both; each is made once and kept as long as this is. */
export class EndNames {
  readonly names: Names | null;
  readonly #addresses = new AddressIds();
  readonly #texts: (string | undefined)[] = [];
  /** By text. */
  readonly #labels = new Map<string, string>();
  readonly #labelIds = new Map<string, number>();
  readonly #labelTexts: string[] = [];
  /** By an address's number: its label's, UNKNOWN or VARIES. */
  #labelOf = new Int32Array(256).fill(UNKNOWN);
  /** By an address's number and a port. */
  readonly #labelAt = new Map<number, number>();

  constructor(names: Names | null) {
    this.names = names;
  }

  /** Number of the address that starts at `at`. */
  addressId(words: Int32Array, at: number, ipv6: boolean): number {
    return this.#addresses.of(words, at, ipv6);
  }

  addressText(id: number): string {
    this.#texts[id] ??= this.#addresses.text(id);
    return this.#texts[id];
  }

  /** Text of the address that starts at `at`. */
  address(words: Int32Array, at: number, ipv6: boolean): string {
    return this.addressText(this.addressId(words, at, ipv6));
  }

  /** Number of what an address is called, seen at a port or NO_PORT. */
  labelId(id: number, port: number): number {
    if (this.names === null) return id;
    if (id >= this.#labelOf.length) this.#grow(id);
    const known = this.#labelOf[id]!;
    if (known >= 0) return known;
    if (known === VARIES) return this.#labelIdAt(id, port);
    const text = this.addressText(id);
    if (this.names.varies(text)) {
      this.#labelOf[id] = VARIES;
      return this.#labelIdAt(id, port);
    }
    const label = this.#idOfLabel(this.#find(text, port));
    this.#labelOf[id] = label;
    return label;
  }

  labelText(labelId: number): string {
    return this.names === null ? this.addressText(labelId) : this.#labelTexts[labelId]!;
  }

  /** The service of an address, seen at a port: its name, else the address or what stands for unknown ones. */
  label(address: string, port: number | null): string {
    const { names } = this;
    if (names === null) return address;
    const key = names.varies(address) ? `${address} ${port}` : address;
    let label = this.#labels.get(key);
    if (label === undefined) {
      label = this.#find(address, port ?? NO_PORT);
      this.#labels.set(key, label);
    }
    return label;
  }

  #labelIdAt(id: number, port: number): number {
    const key = id * 0x1_0001 + port + 1;
    let label = this.#labelAt.get(key);
    if (label === undefined) {
      label = this.#idOfLabel(this.#find(this.addressText(id), port));
      this.#labelAt.set(key, label);
    }
    return label;
  }

  #find(address: string, port: number): string {
    return this.names!.label(address, port === NO_PORT ? null : port, null);
  }

  #idOfLabel(text: string): number {
    let id = this.#labelIds.get(text);
    if (id === undefined) {
      id = this.#labelTexts.push(text) - 1;
      this.#labelIds.set(text, id);
    }
    return id;
  }

  #grow(id: number): void {
    const larger = new Int32Array(Math.max(this.#labelOf.length * 2, id + 1)).fill(UNKNOWN);
    larger.set(this.#labelOf);
    this.#labelOf = larger;
  }
}

/** The four ends of an entry by name, address and port, and its protocol: cells that several tables share. */
export function describeEnds(words: Int32Array, at: number, ends: EndNames): Row {
  const meta = words[at + Word.meta]!;
  const ipv6 = (meta & EntryMeta.ipv6) !== 0;
  const port = (ports: Word, shift: number) =>
    (meta & EntryMeta.ports) === 0 ? null : (words[at + ports]! >>> shift) & 0xffff;
  const end = (name: string, word: Word, ofPort: number | null): Row => {
    const address = ends.address(words, at + word, ipv6);
    return { [name]: ends.label(address, ofPort), [`${name}_port`]: ofPort, [`${name}_address`]: address };
  };
  return {
    transport: protocolName(meta & EntryMeta.protocolMask, ipv6 ? 6 : 4),
    ...end("source", Word.origSource, port(Word.origPorts, 16)),
    ...end("destination", Word.origDestination, port(Word.origPorts, 0)),
    ...end("server", Word.replySource, port(Word.replyPorts, 16)),
    ...end("seen_as", Word.replyDestination, port(Word.replyPorts, 0)),
  };
}
