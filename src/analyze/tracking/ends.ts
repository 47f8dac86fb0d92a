/** What the ends of tracked connections are called. */

import { EntryMeta, Word } from "../../capture/conntrack/conntrack-table.js";
import type { Names } from "../../capture/names/names.js";
import { formatIpv4, formatIpv6, protocolName } from "../../net.js";
import type { Column, Row } from "../snapshot.js";

/** What says which connection a row is of, in every table of them. */
export const ENTRY_COLUMNS: readonly Column[] = [
  { name: "netns", title: "Namespace", kind: "text" },
  { name: "transport", title: "Transport", kind: "text" },
  { name: "state", title: "State", kind: "text" },
  { name: "source", title: "Source", kind: "text" },
  { name: "source_port", title: "Port", kind: "port" },
  { name: "destination", title: "Destination", kind: "text" },
  { name: "destination_port", title: "Port", kind: "port" },
  { name: "nat", title: "NAT", kind: "text" },
  { name: "server", title: "Answered by", kind: "text" },
  { name: "server_port", title: "Port", kind: "port" },
  { name: "seen_as", title: "Source seen as", kind: "text" },
  { name: "seen_as_port", title: "Port", kind: "port" },
];

/** Names and texts of addresses held as words; each is made once and kept as long as this is. */
export class EndNames {
  readonly names: Names | null;
  readonly #ipv4 = new Map<number, string>();
  readonly #labels = new Map<string, string>();

  constructor(names: Names | null) {
    this.names = names;
  }

  /** Text of the address that starts at `at`. */
  address(words: Int32Array, at: number, ipv6: boolean): string {
    const word = words[at]!;
    if (ipv6) {
      const mapped = words[at] === 0 && words[at + 1] === 0 && words[at + 2] === 0xffff;
      if (!mapped) return formatIpv6(word, words[at + 1]!, words[at + 2]!, words[at + 3]!);
      return this.address(words, at + 3, false); // an IPv4 peer of an IPv6 socket (RFC 4291 2.5.5.2)
    }
    let text = this.#ipv4.get(word);
    if (text === undefined) {
      text = formatIpv4(word);
      this.#ipv4.set(word, text);
    }
    return text;
  }

  /** The service of an address, seen at a port: its name, else the address or what stands for unknown ones. */
  label(address: string, port: number | null): string {
    const { names } = this;
    if (names === null) return address;
    const key = names.varies(address) ? `${address} ${port}` : address;
    let label = this.#labels.get(key);
    if (label === undefined) {
      label = names.find(address, port, null) ?? names.rest ?? address;
      this.#labels.set(key, label);
    }
    return label;
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
