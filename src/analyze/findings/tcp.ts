/** How TCP fares: pairs that lose, wait, refuse or reset more than they should. */
import { formatCount, formatCounted, formatDuration, formatRatio } from "../../format.js";
import type { Finding } from "../snapshot/snapshot.js";
import type { TcpPair, TcpSums } from "../sums/tcp.js";
import { type Candidate, formatTimes, sayWorst } from "./finding.js";

/** Thresholds, in one place; docs/findings.md lists them. Each wants so many cases at least, so that 1 of 3 is no finding. */
export const TCP_THRESHOLDS = {
  /** Retransmissions of a pair, its segments, and the part of these that they are. */
  retransmissions: 10,
  segments: 100,
  retransmissionRatio: 0.01,
  retransmissionWarning: 0.03,
  /** From here on the capture itself is doubted: one that has every packet twice looks so. */
  doubledRatio: 0.4,
  /** Connections to a service that were refused or not answered, and the part of all to it. */
  failed: 5,
  failedRatio: 0.1,
  failedWarning: 0.5,
  /** Resets that a service sent, refusals aside, and how many to a connection of its. */
  resets: 10,
  resetRatio: 0.2,
  /** How long a service offered no window, all its connections together. */
  zeroWindowSeconds: 0.1,
  zeroWindowWarningSeconds: 5,
  /** Handshakes of a pair; their p50, and how often that of the median pair it is. */
  handshakes: 10,
  handshakeSeconds: 0.01,
  handshakeTimes: 10,
  /** Other pairs of as many handshakes that the median is of. */
  handshakePairs: 3,
} as const;
const LIMIT = TCP_THRESHOLDS;

type Text = (label: number) => string;

/** Findings of the sums of all pairs; `text` says what a label is called. */
export function findTcp(sums: TcpSums, text: Text): Finding[] {
  const services = sumServices(sums.pairs);
  const open = "got no answer and stay half open";
  return [
    ...findRetransmissions(sums, text),
    ...findFailed("half-open", services, text, ({ halfOpen }) => halfOpen, open),
    ...findFailed("refused", services, text, ({ refused }) => refused, "were refused"),
    ...findResets(services, text),
    ...findZeroWindows(services, text),
    ...findSlowHandshakes(sums, text),
  ];
}

function sumServices(pairs: readonly TcpPair[]): readonly Service[] {
  const services = new Map<number, ServiceSum>();
  const of = (label: number): ServiceSum => {
    const known = services.get(label);
    if (known !== undefined) return known;
    const [refused, halfOpen, resets, zeroWindows, zeroWindowUs] = [0, 0, 0, 0, 0];
    const sum = { label, asked: 0, connections: 0, refused, halfOpen, resets, zeroWindows, zeroWindowUs };
    services.set(label, sum);
    return sum;
  };
  for (const { source: from, destination: to, sum } of pairs) {
    const [source, destination] = [of(from), of(to)];
    destination.asked += sum.connections;
    destination.connections += sum.connections;
    if (source !== destination) source.connections += sum.connections;
    destination.refused += sum.refused;
    destination.halfOpen += sum.halfOpen;
    destination.resets += Math.max(0, sum.resetsByReply - sum.refused);
    source.resets += sum.resets - sum.resetsByReply;
    destination.zeroWindows += sum.zeroWindowsByReply;
    destination.zeroWindowUs += sum.zeroWindowUsByReply;
    source.zeroWindows += sum.zeroWindows - sum.zeroWindowsByReply;
    source.zeroWindowUs += sum.zeroWindowUs - sum.zeroWindowUsByReply;
  }
  return [...services.values()];
}

function findRetransmissions({ pairs, total }: TcpSums, text: Text): Finding[] {
  const candidates = pairs.flatMap(({ source, destination, sum }): Candidate[] => {
    const { segments, retransmissions } = sum;
    const ratio = retransmissions / segments;
    const isEvidence = retransmissions >= LIMIT.retransmissions && segments >= LIMIT.segments;
    if (!isEvidence || ratio < LIMIT.retransmissionRatio) return [];
    const counts = `${formatCount(retransmissions)} retransmissions in ${formatCounted(segments, "segment")}`;
    const ends = `${text(source)} and ${text(destination)}`;
    if (ratio >= LIMIT.doubledRatio) {
      const words = `Between ${ends} there are ${counts}: the capture may hold packets twice.`;
      return [{ severity: "notice", weight: ratio, text: words }];
    }
    const rest = (total.retransmissions - retransmissions) / (total.segments - segments);
    const times = rest > 0 && ratio > rest ? `, ${formatTimes(ratio / rest)} the ratio of the rest` : "";
    return [
      {
        severity: ratio >= LIMIT.retransmissionWarning ? "warning" : "notice",
        weight: ratio,
        text: `Between ${ends} ${formatRatio(ratio)} of the segments are sent again (${counts})${times}.`,
      },
    ];
  });
  return sayWorst("retransmissions", "pair", candidates);
}

/**
 * p50s are costly, means are at hand: half of the handshakes take the p50 or longer, so that the mean is half of it at least, and
 * the median pair is found by its mean.
 */
function findSlowHandshakes({ pairs, durations }: TcpSums, text: Text): Finding[] {
  const opened = pairs.flatMap(({ sum: { handshakes, handshakeUs } }, pair) =>
    handshakes >= LIMIT.handshakes ? [{ pair, handshakes, meanUs: handshakeUs / handshakes }] : [],
  );
  const slow = opened.filter(({ meanUs }) => meanUs >= (LIMIT.handshakeSeconds * 1e6) / 2);
  if (slow.length === 0 || opened.length <= LIMIT.handshakePairs) return [];
  const order = [...opened].sort((x, y) => x.meanUs - y.meanUs);
  const median = durations(order[(order.length - 1) >> 1]!.pair).handshakeP50!;
  const candidates = slow.flatMap(({ pair, handshakes }): Candidate[] => {
    const us = durations(pair).handshakeP50!;
    if (us / 1e6 < LIMIT.handshakeSeconds || us < median * LIMIT.handshakeTimes) return [];
    const { source, destination } = pairs[pair]!;
    const times = median > 0 ? `${formatTimes(us / median)} the ` : "against ";
    const words = `Connections of ${text(source)} to ${text(destination)} take ${milliseconds(us)} to open (p50 of ${formatCounted(handshakes, "handshake")}), ${times}${milliseconds(median)} of the median pair.`;
    return [{ severity: "notice", weight: us, text: words }];
  });
  return sayWorst("slow-handshake", "pair", candidates);
}

/** Sums over the connections of one service. */
interface ServiceSum {
  readonly label: number;
  /** Connections that others began to it, and all that it has. */
  asked: number;
  connections: number;
  refused: number;
  halfOpen: number;
  /** That it sent, refusals aside. */
  resets: number;
  zeroWindows: number;
  zeroWindowUs: number;
}

type Service = Readonly<ServiceSum>;

function findFailed(
  code: string,
  services: readonly Service[],
  nameOf: Text,
  count: (sum: Service) => number,
  words: string,
): Finding[] {
  const candidates: Candidate[] = [];
  for (const sum of services) {
    const failed = count(sum);
    const ratio = failed / sum.asked;
    if (failed < LIMIT.failed || ratio < LIMIT.failedRatio) continue;
    candidates.push({
      severity: ratio >= LIMIT.failedWarning ? "warning" : "notice",
      weight: failed,
      text: `${formatCount(failed)} of ${formatCounted(sum.asked, "connection")} to ${nameOf(sum.label)} (${formatRatio(ratio)}) ${words}.`,
    });
  }
  return sayWorst(code, "service", candidates);
}

function findResets(services: readonly Service[], nameOf: Text): Finding[] {
  const candidates: Candidate[] = [];
  for (const { label, resets, connections } of services) {
    if (resets < LIMIT.resets || resets / connections < LIMIT.resetRatio) continue;
    const text = `${nameOf(label)} sent ${formatCounted(resets, "reset")} on ${formatCounted(connections, "connection")}, refusals not counted.`;
    candidates.push({ severity: "notice", weight: resets, text });
  }
  return sayWorst("resets", "service", candidates);
}

function findZeroWindows(services: readonly Service[], nameOf: Text): Finding[] {
  const candidates: Candidate[] = [];
  for (const { label, zeroWindows, zeroWindowUs } of services) {
    const seconds = zeroWindowUs / 1e6;
    if (seconds < LIMIT.zeroWindowSeconds) continue;
    candidates.push({
      severity: seconds >= LIMIT.zeroWindowWarningSeconds ? "warning" : "notice",
      weight: seconds,
      text: `${nameOf(label)} could not keep up: it had no room for more ${formatCounted(zeroWindows, "time")}, for ${formatDuration(seconds)} in all (zero window).`,
    });
  }
  return sayWorst("zero-window", "service", candidates);
}

function milliseconds(us: number): string {
  return formatDuration(Math.round(us) / 1e6);
}
