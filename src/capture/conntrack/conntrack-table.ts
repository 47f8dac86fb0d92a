/** The kernel's state of every connection it tracks, packed: a poll reads up to 60,000 entries again every second. */
import { formatIpv4, formatIpv6, IpProtocol } from "../../net.js";

/** Where a field is in an entry's words (Int32). Addresses take four words each, IPv4 the first of them. */
export const enum Word {
  origSource = 0,
  origDestination = 4,
  replySource = 8,
  replyDestination = 12,
  /** Source port in the upper half, destination port in the lower. ICMP: id, then type and code. */
  origPorts = 16,
  replyPorts = 17,
  meta = 18,
  status = 19,
  timeout = 20,
  mark = 21,
  /** Zone of the orig direction in the upper half, of the reply in the lower. */
  zones = 22,
  count = 24,
}

/** Where a field is in an entry's numbers (Float64); NaN: the kernel did not say. */
export const enum Value {
  origPackets = 0,
  origBytes = 1,
  replyPackets = 2,
  replyBytes = 3,
  /** Microseconds since 1970; only where the kernel keeps nf_conntrack_timestamp. */
  startUs = 4,
  count = 5,
}

/** Bits of Word.meta: the protocol, the protocol's state, and what is there at all. */
export const enum EntryMeta {
  protocolMask = 0xff,
  stateShift = 8,
  stateMask = 0xff00,
  ipv6 = 0x1_0000,
  ports = 0x2_0000,
  icmp = 0x4_0000,
  timeout = 0x8_0000,
}

/** Bits of Word.status (IPS_ of linux/netfilter/nf_conntrack_common.h). */
export const enum ConntrackStatus {
  seenReply = 2,
  assured = 4,
  sourceNat = 0x10,
  destinationNat = 0x20,
  offload = 0x4000,
  hardwareOffload = 0x8000,
}

/** States in the kernel's order (nf_conntrack_tcp.h, _sctp.h, _dccp.h). */
const TCP_STATES =
  "NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2".split(" ");
const SCTP_STATES =
  "NONE CLOSED COOKIE_WAIT COOKIE_ECHOED ESTABLISHED SHUTDOWN_SENT SHUTDOWN_RECD SHUTDOWN_ACK_SENT HEARTBEAT_SENT HEARTBEAT_ACKED".split(
    " ",
  );
const DCCP_STATES = "NONE REQUEST RESPOND PARTOPEN OPEN CLOSEREQ CLOSING TIMEWAIT IGNORE INVALID".split(" ");
const STATES: ReadonlyMap<number, readonly string[]> = new Map([
  [IpProtocol.tcp, TCP_STATES],
  [33, DCCP_STATES],
  [132, SCTP_STATES],
]);

/** Number of a state by its name, or -1. */
export function stateNumber(protocol: number, name: string): number {
  return STATES.get(protocol)?.indexOf(name) ?? -1;
}

/** One direction of an entry. */
export interface ConntrackTuple {
  readonly source: string;
  readonly destination: string;
  /** null: the protocol has none. */
  readonly sourcePort: number | null;
  readonly destinationPort: number | null;
  readonly icmp: { readonly type: number; readonly code: number; readonly id: number } | null;
}

/** One entry, unpacked for people and tests; the hot paths read the table's words. */
export interface ConntrackEntry {
  readonly version: 4 | 6;
  readonly protocol: number;
  /** null: the protocol has no states. */
  readonly state: string | null;
  readonly assured: boolean;
  readonly seenReply: boolean;
  readonly sourceNat: boolean;
  readonly destinationNat: boolean;
  /** Seconds left; null: not said, as for an offloaded flow. */
  readonly timeout: number | null;
  readonly orig: ConntrackTuple;
  readonly reply: ConntrackTuple;
  /** null: accounting was off when it began. */
  readonly counters: EntryCounters | null;
  readonly mark: number;
  readonly zone: number;
  readonly startUs: number | null;
}

export interface EntryCounters {
  readonly packets: number;
  readonly bytes: number;
  readonly replyPackets: number;
  readonly replyBytes: number;
}

const FIRST_CAPACITY = 1024;

/** Entries in the order they were read. Reused from poll to poll: `clear` keeps the memory. */
export class ConntrackTable {
  count = 0;
  /** Word.count a entry. Replaced when the table grows: read the property again after `add`. */
  words = new Int32Array(FIRST_CAPACITY * Word.count);
  /** Value.count an entry. */
  numbers = new Float64Array(FIRST_CAPACITY * Value.count).fill(Number.NaN);
  /** Entries of the source that are not here because the table has its bound. */
  omitted = 0;
  readonly maxEntries: number;

  constructor(maxEntries = 4_000_000) {
    this.maxEntries = maxEntries;
  }

  clear(): void {
    this.truncate(0);
    this.omitted = 0;
  }

  /** Adds an empty entry and returns its number, or -1 where the table is at its bound. */
  add(): number {
    const entry = this.count;
    if (entry === this.maxEntries) {
      this.omitted++;
      return -1;
    }
    if ((entry + 1) * Word.count > this.words.length) this.#grow();
    this.count = entry + 1;
    return entry;
  }

  /** Removes the entries from number `count` on. Free words are 0: clearing them here once is cheaper than once per entry. */
  truncate(count: number): void {
    this.words.fill(0, count * Word.count, this.count * Word.count);
    this.numbers.fill(Number.NaN, count * Value.count, this.count * Value.count);
    this.count = count;
  }

  word(entry: number, word: number): number {
    return this.words[entry * Word.count + word]!;
  }

  number(entry: number, value: Value): number {
    return this.numbers[entry * Value.count + value]!;
  }

  /** Text of the address that starts at `word`. */
  addressText(entry: number, word: number): string {
    const at = entry * Word.count + word;
    const w = this.words;
    return (this.word(entry, Word.meta) & EntryMeta.ipv6) === 0
      ? formatIpv4(w[at]!)
      : formatIpv6(w[at]!, w[at + 1]!, w[at + 2]!, w[at + 3]!);
  }

  /** The protocol's state; `UNREPLIED`, `REPLIED` or `ASSURED` where the protocol has none; `OFFLOAD` for an offloaded flow. */
  stateName(entry: number): string {
    const status = this.word(entry, Word.status);
    if ((status & (ConntrackStatus.offload | ConntrackStatus.hardwareOffload)) !== 0) return "OFFLOAD";
    const state = this.protocolState(entry);
    if (state !== null) return state;
    if ((status & ConntrackStatus.seenReply) === 0) return "UNREPLIED";
    return (status & ConntrackStatus.assured) === 0 ? "REPLIED" : "ASSURED";
  }

  /** The state that the protocol itself has, or null. */
  protocolState(entry: number): string | null {
    const meta = this.word(entry, Word.meta);
    const names = STATES.get(meta & EntryMeta.protocolMask);
    const state = (meta & EntryMeta.stateMask) >>> EntryMeta.stateShift;
    return names ? (names[state] ?? `state ${state}`) : null;
  }

  /** An entry unpacked. Owned by the caller. */
  read(entry: number): ConntrackEntry {
    const meta = this.word(entry, Word.meta);
    const status = this.word(entry, Word.status);
    const packets = this.number(entry, Value.origPackets);
    const startUs = this.number(entry, Value.startUs);
    return {
      version: (meta & EntryMeta.ipv6) === 0 ? 4 : 6,
      protocol: meta & EntryMeta.protocolMask,
      state: this.protocolState(entry),
      assured: (status & ConntrackStatus.assured) !== 0,
      seenReply: (status & ConntrackStatus.seenReply) !== 0,
      sourceNat: (status & ConntrackStatus.sourceNat) !== 0,
      destinationNat: (status & ConntrackStatus.destinationNat) !== 0,
      timeout: (meta & EntryMeta.timeout) === 0 ? null : this.word(entry, Word.timeout) >>> 0,
      orig: this.#tuple(entry, Word.origSource, Word.origPorts),
      reply: this.#tuple(entry, Word.replySource, Word.replyPorts),
      counters: Number.isNaN(packets)
        ? null
        : {
            packets,
            bytes: this.number(entry, Value.origBytes),
            replyPackets: this.number(entry, Value.replyPackets),
            replyBytes: this.number(entry, Value.replyBytes),
          },
      mark: this.word(entry, Word.mark) >>> 0,
      zone: this.word(entry, Word.zones) >>> 16,
      startUs: Number.isNaN(startUs) ? null : startUs,
    };
  }

  #tuple(entry: number, source: Word, ports: Word): ConntrackTuple {
    const meta = this.word(entry, Word.meta);
    const both = this.word(entry, ports);
    const [upper, lower] = [both >>> 16, both & 0xffff];
    const hasPorts = (meta & EntryMeta.ports) !== 0;
    return {
      source: this.addressText(entry, source),
      destination: this.addressText(entry, source + 4),
      sourcePort: hasPorts ? upper : null,
      destinationPort: hasPorts ? lower : null,
      icmp: (meta & EntryMeta.icmp) === 0 ? null : { type: lower >>> 8, code: lower & 0xff, id: upper },
    };
  }

  #grow(): void {
    const words = new Int32Array(this.words.length * 2);
    words.set(this.words);
    this.words = words;
    const numbers = new Float64Array(this.numbers.length * 2).fill(Number.NaN);
    numbers.set(this.numbers);
    this.numbers = numbers;
  }
}

const NAT = ConntrackStatus.sourceNat | ConntrackStatus.destinationNat;

/** The NAT bits that follow from the two tuples: after DNAT the reply comes from elsewhere, after SNAT it goes elsewhere. */
export function natOfTuples(words: Int32Array, at: number): number {
  let nat = 0;
  for (let i = 0; i < 4; i++) {
    if (words[at + Word.replySource + i] !== words[at + Word.origDestination + i])
      nat |= ConntrackStatus.destinationNat;
    if (words[at + Word.replyDestination + i] !== words[at + Word.origSource + i])
      nat |= ConntrackStatus.sourceNat;
  }
  if ((words[at + Word.meta]! & EntryMeta.ports) !== 0) {
    const [orig, reply] = [words[at + Word.origPorts]!, words[at + Word.replyPorts]!];
    if (reply >>> 16 !== (orig & 0xffff)) nat |= ConntrackStatus.destinationNat;
    if ((reply & 0xffff) !== orig >>> 16) nat |= ConntrackStatus.sourceNat;
  }
  return nat & NAT;
}
