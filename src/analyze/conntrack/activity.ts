/** The time of a tracked connection's last packet, from its remaining timeout: every packet resets it to the full time. */
import type { ConntrackFacts } from "../../capture/conntrack/conntrack-facts.js";
import {
  ConntrackStatus,
  type ConntrackTable,
  EntryMeta,
  Word,
} from "../../capture/conntrack/conntrack-table.js";
import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import { IpProtocol } from "../../net.js";

/** Timeouts are whole seconds. */
export const SECOND_US = 1e6;

const STATE = EntryMeta.protocolMask | EntryMeta.stateMask;
const ASSURED_BIT = 0x1_0000;
const NOTHING: readonly number[] = [];

/** How long the entries of a namespace have been idle. What a state's timeout is set to is looked up once. */
export class Idleness {
  readonly #facts: ConntrackFacts | null;
  readonly #entries: ConntrackTable;
  /** Seconds that a packet may have set the timeout to, by protocol, state and whether it is assured. */
  readonly #full = new Map<number, readonly number[]>();

  constructor({ entries, facts }: ConntrackNamespace) {
    this.#entries = entries;
    this.#facts = facts;
  }

  /** Microseconds since the last packet, give or take a second; NaN: the timeout or its full time is not known. */
  idleUs(entry: number): number {
    const meta = this.#entries.word(entry, Word.meta);
    if ((meta & EntryMeta.timeout) === 0) return Number.NaN;
    const left = this.#entries.word(entry, Word.timeout) >>> 0;
    // Of the times it can have been set to, the least that is not less than what is left: the last packet is that recent.
    let least = Number.POSITIVE_INFINITY;
    for (const seconds of this.#fullOf(entry, meta)) if (seconds >= left && seconds < least) least = seconds;
    return least === Number.POSITIVE_INFINITY ? Number.NaN : (least - left) * SECOND_US;
  }

  #fullOf(entry: number, meta: number): readonly number[] {
    if (this.#facts === null) return NOTHING;
    const assured = (this.#entries.word(entry, Word.status) & ConntrackStatus.assured) !== 0;
    const key = (meta & STATE) | (assured ? ASSURED_BIT : 0);
    let full = this.#full.get(key);
    if (full === undefined) {
      const protocol = meta & EntryMeta.protocolMask;
      full = fullSeconds(this.#facts, protocol, this.#entries.protocolState(entry), assured);
      this.#full.set(key, full);
    }
    return full;
  }
}

/** The shortest time the kernel remembers a conversation after its last packet, whatever its state; null: not known. */
export function lifetimeUs(facts: ConntrackFacts | null, protocol: number): number | null {
  const name =
    protocol === IpProtocol.tcp
      ? "tcp_timeout_close"
      : protocol === IpProtocol.udp
        ? "udp_timeout"
        : protocol === IpProtocol.icmp
          ? "icmp_timeout"
          : protocol === IpProtocol.icmpv6
            ? "icmpv6_timeout"
            : "generic_timeout";
  const seconds = facts?.timeouts.get(name);
  return seconds === undefined ? null : seconds * SECOND_US;
}

/** The times that a packet may have set the timeout to. */
function fullSeconds(
  { timeouts }: ConntrackFacts,
  protocol: number,
  state: string | null,
  assured: boolean,
): number[] {
  const names = (): string[] => {
    switch (protocol) {
      case IpProtocol.tcp: {
        const own = `tcp_timeout_${(state ?? "").toLowerCase()}`;
        return state === "ESTABLISHED"
          ? [own, "tcp_timeout_unacknowledged", "tcp_timeout_max_retrans"]
          : [own];
      }
      case IpProtocol.udp:
        return assured ? ["udp_timeout_stream"] : ["udp_timeout"];
      case IpProtocol.icmp:
        return ["icmp_timeout"];
      case IpProtocol.icmpv6:
        return ["icmpv6_timeout"];
      default:
        return [];
    }
  };
  return names().flatMap((name) => timeouts.get(name) ?? []);
}
