/** When a tracked connection had its last packet, as its timeout tells: every packet sets it back to the full time. */
import type { ConntrackFacts } from "../../capture/conntrack/conntrack-facts.js";
import { ConntrackStatus, EntryMeta, Word } from "../../capture/conntrack/conntrack-table.js";
import type { TrackedNamespace } from "../../capture/conntrack/tracker.js";
import { IpProtocol } from "../../net.js";

/** Timeouts are whole seconds. */
const SECOND_US = 1e6;

/** The last packet came no earlier and no later than this, in microseconds; null: the timeout or its full time is not known. */
export function lastPacketUs(
  { entries, facts }: TrackedNamespace,
  entry: number,
  pollUs: number,
): { readonly earliest: number; readonly latest: number } | null {
  const meta = entries.word(entry, Word.meta);
  if (!facts || (meta & EntryMeta.timeout) === 0) return null;
  const left = entries.word(entry, Word.timeout) >>> 0;
  const assured = (entries.word(entry, Word.status) & ConntrackStatus.assured) !== 0;
  const full = fullSeconds(facts, meta & EntryMeta.protocolMask, entries.protocolState(entry), assured);
  // Of the times it can have been set to, the least that is not less than what is left: the last packet is that recent.
  const fitting = full.filter((seconds) => seconds >= left);
  if (fitting.length === 0) return null;
  const idleUs = (Math.min(...fitting) - left) * SECOND_US;
  return { earliest: pollUs - idleUs - SECOND_US, latest: pollUs - idleUs + SECOND_US };
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
