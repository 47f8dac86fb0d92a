/** Connection tracking as text: what `conntrack -L` prints, plain or extended, and /proc/net/nf_conntrack. */
import { type AddressBytes, IpProtocol, parseAddress } from "../../net.js";
import {
  ConntrackStatus,
  type ConntrackTable,
  EntryMeta,
  natOfTuples,
  stateNumber,
  Value,
  Word,
} from "./conntrack-table.js";

/** How much of a text was read. */
export interface ConntrackTextReport {
  entries: number;
  /** Lines that are neither entries nor comments. */
  odd: number;
  /** The first of those: its number, from 1, and what is wrong with it. */
  first: { readonly line: number; readonly reason: string } | null;
}

/** Longer lines are no entries; the longest real ones have some 500 characters. */
const MAX_LINE = 4096;
const MAX_UINT32 = 0xffff_ffff;

/** Adds the entries of the text to the table. Never throws: malformed lines are counted. Linear in the text's length. */
export function parseConntrackText(text: string, table: ConntrackTable): ConntrackTextReport {
  const report: ConntrackTextReport = { entries: 0, odd: 0, first: null };
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    line++;
    const reason = parseLine(text, start, end, table);
    if (reason === null) report.entries++;
    else if (reason !== NOT_MEANT) {
      report.odd++;
      report.first ??= { line, reason };
    }
    start = end + 1;
  }
  return report;
}

/** An empty line, a comment, the line in which conntrack says how many there were. */
const NOT_MEANT = "";

/** Why the line is no entry; null: it is one, and was added. */
function parseLine(text: string, start: number, end: number, table: ConntrackTable): string | null {
  if (end - start > MAX_LINE) return `longer than ${MAX_LINE} characters`;
  const tokens = text
    .slice(start, end)
    .split(/\s/)
    .filter((token) => token !== "");
  const first = tokens[0];
  if (first === undefined || first.startsWith("#")) return NOT_MEANT;
  if (first === "conntrack" && tokens.at(-1) === "shown.") return NOT_MEANT;
  if (first.startsWith("[")) return "an event, as `conntrack -E` prints; a table is read";
  if (first.startsWith("<")) return "XML; `conntrack -L -o extended` prints what can be read";
  if (first === "-A") return "the form `-o save`; `conntrack -L -o extended` prints what can be read";
  const line = new Line();
  const problem = line.head(tokens) ?? line.rest(tokens) ?? line.check();
  if (problem !== null) return problem;
  if (!line.addTo(table)) return `more than ${table.maxEntries} entries`;
  return null;
}

/** One direction as it is read. */
class Tuple {
  source: AddressBytes | null = null;
  destination: AddressBytes | null = null;
  sourcePort: number | null = null;
  destinationPort: number | null = null;
  type: number | null = null;
  code = 0;
  id: number | null = null;
  packets: number | null = null;
  bytes: number | null = null;

  /** Both ports, or the parts of an ICMP message, as Word.origPorts has them. */
  get ports(): number {
    if (this.type !== null) return ((this.id ?? 0) << 16) | (this.type << 8) | this.code;
    return ((this.sourcePort ?? 0) << 16) | (this.destinationPort ?? 0);
  }
}

/** The fields of a tuple that hold a number, and how large it may be. */
const FIELDS: ReadonlyMap<
  string,
  readonly [Exclude<keyof Tuple, "source" | "destination" | "ports">, number]
> = new Map([
  ["sport", ["sourcePort", 0xffff]],
  ["dport", ["destinationPort", 0xffff]],
  ["srckey", ["sourcePort", 0xffff]],
  ["dstkey", ["destinationPort", 0xffff]],
  ["type", ["type", 0xff]],
  ["code", ["code", 0xff]],
  ["packets", ["packets", Number.POSITIVE_INFINITY]],
  ["bytes", ["bytes", Number.POSITIVE_INFINITY]],
]);

class Line {
  protocol = 0;
  state = 0;
  timeout: number | null = null;
  mark = 0;
  zoneOrig = 0;
  zoneReply = 0;
  status: number = ConntrackStatus.seenReply;
  readonly orig = new Tuple();
  readonly reply = new Tuple();
  #next = 0;

  /** `[ipv4 2] tcp 6 [431990] [ESTABLISHED]`. */
  head(tokens: readonly string[]): string | null {
    if (/^ipv[46]$/.test(tokens[0]!)) this.#next = 2;
    const protocol = tokens[this.#next + 1];
    if (protocol === undefined || !/^\d{1,3}$/.test(protocol) || Number(protocol) > 255)
      return "no protocol number";
    this.protocol = Number(protocol);
    this.#next += 2;
    if (/^\d+$/.test(tokens[this.#next] ?? "")) {
      this.timeout = parseNumber(tokens[this.#next++]!, MAX_UINT32);
      if (this.timeout === null) return "a timeout out of range";
    }
    const state = tokens[this.#next];
    if (state !== undefined && /^[A-Z][A-Z0-9_]*$/.test(state)) {
      this.#next++;
      this.state = Math.max(0, stateNumber(this.protocol, state));
    }
    return null;
  }

  /** `src=... dst=... sport=... [UNREPLIED] src=... [ASSURED] mark=0 use=1`; unknown fields are skipped. */
  rest(tokens: readonly string[]): string | null {
    let tuple: Tuple | null = null;
    for (; this.#next < tokens.length; this.#next++) {
      const token = tokens[this.#next]!;
      const equals = token.indexOf("=");
      if (equals < 0) {
        this.#tag(token);
        continue;
      }
      const key = token.slice(0, equals);
      const value = token.slice(equals + 1);
      if (key === "src") tuple = tuple === null ? this.orig : this.reply;
      const problem = this.#field(key, value, tuple);
      if (problem !== null) return problem;
    }
    return null;
  }

  #tag(token: string): void {
    if (token === "[UNREPLIED]") this.status &= ~ConntrackStatus.seenReply;
    else if (token === "[ASSURED]") this.status |= ConntrackStatus.assured;
    else if (token === "[OFFLOAD]") this.status |= ConntrackStatus.offload;
    else if (token === "[HW_OFFLOAD]")
      this.status |= ConntrackStatus.offload | ConntrackStatus.hardwareOffload;
  }

  #field(key: string, value: string, tuple: Tuple | null): string | null {
    const wrong = `${key} is ${value.slice(0, 40)}`;
    switch (key) {
      case "mark":
        return this.#set("mark", value, MAX_UINT32) ? null : wrong;
      case "zone":
        return this.#set("zoneOrig", value, 0xffff) && this.#set("zoneReply", value, 0xffff) ? null : wrong;
      case "zone-orig":
        return this.#set("zoneOrig", value, 0xffff) ? null : wrong;
      case "zone-reply":
        return this.#set("zoneReply", value, 0xffff) ? null : wrong;
    }
    if (tuple === null) return null;
    if (key === "src" || key === "dst") {
      const end = key === "src" ? "source" : "destination";
      if (tuple[end] !== null) return `a third ${key}`;
      tuple[end] = parseAddress(value);
      return tuple[end] === null ? wrong : null;
    }
    // Behind both tuples `id` is the entry's own; an ICMP tuple has its id before that.
    if (key === "id") {
      if (tuple.type === null || tuple.id !== null) return null;
      tuple.id = parseNumber(value, 0xffff);
      return tuple.id === null ? wrong : null;
    }
    const field = FIELDS.get(key);
    if (!field) return null;
    const number = parseNumber(value, field[1]);
    if (number === null) return wrong;
    tuple[field[0]] = number;
    return null;
  }

  #set(field: "mark" | "zoneOrig" | "zoneReply", text: string, most: number): boolean {
    const number = parseNumber(text, most);
    this[field] = number ?? 0;
    return number !== null;
  }

  check(): string | null {
    const { orig, reply } = this;
    const addresses = [orig.source, orig.destination, reply.source, reply.destination];
    if (addresses.includes(null)) return "not two directions with both addresses";
    if (addresses.some((address) => address!.length !== orig.source!.length))
      return "addresses of two families";
    const ports = [orig.sourcePort, orig.destinationPort, reply.sourcePort, reply.destinationPort];
    const needsPorts = this.protocol === IpProtocol.tcp || this.protocol === IpProtocol.udp;
    if (ports.includes(null) && (needsPorts || ports.some((port) => port !== null)))
      return "not all four ports";
    return null;
  }

  addTo(table: ConntrackTable): boolean {
    const entry = table.add();
    if (entry < 0) return false;
    const { words, numbers } = table;
    const at = entry * Word.count;
    const { orig, reply } = this;
    setAddress(words, at + Word.origSource, orig.source!);
    setAddress(words, at + Word.origDestination, orig.destination!);
    setAddress(words, at + Word.replySource, reply.source!);
    setAddress(words, at + Word.replyDestination, reply.destination!);
    words[at + Word.origPorts] = orig.ports;
    words[at + Word.replyPorts] = reply.ports;
    words[at + Word.meta] =
      this.protocol |
      (this.state << EntryMeta.stateShift) |
      (orig.source!.length === 16 ? EntryMeta.ipv6 : 0) |
      (orig.type !== null ? EntryMeta.icmp : orig.sourcePort !== null ? EntryMeta.ports : 0) |
      (this.timeout === null ? 0 : EntryMeta.timeout);
    words[at + Word.timeout] = this.timeout ?? 0;
    words[at + Word.mark] = this.mark;
    words[at + Word.zones] = (this.zoneOrig << 16) | this.zoneReply;
    words[at + Word.status] = this.status | natOfTuples(words, at);
    const counts = [orig.packets, orig.bytes, reply.packets, reply.bytes];
    if (!counts.includes(null)) numbers.set(counts as number[], entry * Value.count);
    return true;
  }
}

/** Decimal or 0x hexadecimal, not negative, not above `most`; null: anything else. Above 2^53 it is rounded. */
function parseNumber(text: string, most: number): number | null {
  if (!/^(\d{1,20}|0x[0-9a-fA-F]{1,8})$/.test(text)) return null;
  const number = Number(text);
  return number <= most ? number : null;
}

function setAddress(words: Int32Array, at: number, bytes: AddressBytes): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i * 4 < bytes.length; i++) words[at + i] = view.getInt32(i * 4);
}
