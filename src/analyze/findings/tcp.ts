/** Findings on TCP: pairs with too many losses, waits, refusals or resets. */
import { formatCount, formatCounted, formatDuration, formatRatio } from "../../format.js";
import type { Finding } from "../snapshot/snapshot.js";
import type { TcpPair, TcpSum, TcpSums } from "../sums/tcp.js";
import { type FindingCandidate, formatTimes, sayWorst } from "./finding.js";

/** Thresholds, in one place; docs/findings.md lists them. Each wants so many cases at least, so that 1 of 3 is no finding. */
export const TCP_THRESHOLDS = {
  /** Retransmissions of a pair, its segments, and the part of these that they are. */
  retransmissions: 10,
  segments: 100,
  retransmissionRatio: 0.01,
  retransmissionWarning: 0.03,
  /** Above this the capture itself is suspect: a capture with every packet twice looks like this. */
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

/** Findings from the sums of all pairs; `text` returns a label's text. */
export function findTcp(sums: TcpSums, text: Text): Finding[] {
  const services = new Map<number, ServiceSum>();
  const retransmitting: FindingCandidate[] = [];
  const opened: Opened[] = [];
  for (let number = 0; number < sums.count; number++) {
    const pair = sums.pair(number);
    addToServices(services, pair);
    const candidate = judgeRetransmissions(pair, sums.total, text);
    if (candidate !== null) retransmitting.push(candidate);
    const { handshakes, handshakeUs } = pair.sum;
    if (handshakes >= LIMIT.handshakes)
      opened.push({ pair: number, handshakes, meanUs: handshakeUs / handshakes });
  }
  const open = "got no answer and stay half open";
  return [
    ...sayWorst("retransmissions", "pair", retransmitting),
    ...findFailed("half-open", services.values(), text, ({ halfOpen }) => halfOpen, open),
    ...findFailed("refused", services.values(), text, ({ refused }) => refused, "were refused"),
    ...findResets(services.values(), text),
    ...findZeroWindows(services.values(), text),
    ...findSlowHandshakes(sums, opened, text),
  ];
}

function addToServices(
  services: Map<number, ServiceSum>,
  { source: from, destination: to, sum: pair }: Readonly<TcpPair>,
): void {
  const of = (label: number): ServiceSum => {
    const known = services.get(label);
    if (known !== undefined) return known;
    const [refused, halfOpen, resets, zeroWindows, zeroWindowUs] = [0, 0, 0, 0, 0];
    const sum = { label, asked: 0, connections: 0, refused, halfOpen, resets, zeroWindows, zeroWindowUs };
    services.set(label, sum);
    return sum;
  };
  const [source, destination] = [of(from), of(to)];
  destination.asked += pair.connections;
  destination.connections += pair.connections;
  if (source !== destination) source.connections += pair.connections;
  destination.refused += pair.refused;
  destination.halfOpen += pair.halfOpen;
  destination.resets += Math.max(0, pair.resetsByReply - pair.refused);
  source.resets += pair.resets - pair.resetsByReply;
  destination.zeroWindows += pair.zeroWindowsByReply;
  destination.zeroWindowUs += pair.zeroWindowUsByReply;
  source.zeroWindows += pair.zeroWindows - pair.zeroWindowsByReply;
  source.zeroWindowUs += pair.zeroWindowUs - pair.zeroWindowUsByReply;
}

/** null: a pair that sends little again. */
function judgeRetransmissions(
  { source, destination, sum }: Readonly<TcpPair>,
  total: Readonly<TcpSum>,
  text: Text,
): FindingCandidate | null {
  const { segments, retransmissions } = sum;
  const ratio = retransmissions / segments;
  const isEvidence = retransmissions >= LIMIT.retransmissions && segments >= LIMIT.segments;
  if (!isEvidence || ratio < LIMIT.retransmissionRatio) return null;
  const counts = `${formatCounted(retransmissions, "retransmission")} in ${formatCounted(segments, "segment")}`;
  const ends = `${text(source)} and ${text(destination)}`;
  if (ratio >= LIMIT.doubledRatio) {
    const words = `Between ${ends} there are ${counts}: the capture may hold packets twice.`;
    return { severity: "notice", weight: ratio, text: words };
  }
  const rest = (total.retransmissions - retransmissions) / (total.segments - segments);
  const times = rest > 0 && ratio > rest ? `, ${formatTimes(ratio / rest)} the ratio of the rest` : "";
  return {
    severity: ratio >= LIMIT.retransmissionWarning ? "warning" : "notice",
    weight: ratio,
    text: `Between ${ends} ${formatRatio(ratio)} of the segments are sent again (${counts})${times}.`,
  };
}

/** A pair of enough handshakes. */
interface Opened {
  readonly pair: number;
  readonly handshakes: number;
  readonly meanUs: number;
}

/**
 * p50s are costly, means are at hand: half of the handshakes take the p50 or longer, so that the mean is half of it at least, and
 * the median pair is found by its mean.
 */
function findSlowHandshakes(sums: TcpSums, opened: readonly Opened[], text: Text): Finding[] {
  const slow = opened.filter(({ meanUs }) => meanUs >= (LIMIT.handshakeSeconds * 1e6) / 2);
  if (slow.length === 0 || opened.length <= LIMIT.handshakePairs) return [];
  const order = [...opened].sort((x, y) => x.meanUs - y.meanUs);
  const median = sums.durations(order[(order.length - 1) >> 1]!.pair).handshakeP50!;
  const candidates = slow.flatMap(({ pair, handshakes }): FindingCandidate[] => {
    const us = sums.durations(pair).handshakeP50!;
    if (us / 1e6 < LIMIT.handshakeSeconds || us < median * LIMIT.handshakeTimes) return [];
    const { source, destination } = sums.pair(pair);
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
  services: Iterable<Service>,
  nameOf: Text,
  count: (sum: Service) => number,
  words: string,
): Finding[] {
  const candidates: FindingCandidate[] = [];
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

function findResets(services: Iterable<Service>, nameOf: Text): Finding[] {
  const candidates: FindingCandidate[] = [];
  for (const { label, resets, connections } of services) {
    if (resets < LIMIT.resets || resets / connections < LIMIT.resetRatio) continue;
    const text = `${nameOf(label)} sent ${formatCounted(resets, "reset")} on ${formatCounted(connections, "connection")}, refusals not counted.`;
    candidates.push({ severity: "notice", weight: resets, text });
  }
  return sayWorst("resets", "service", candidates);
}

function findZeroWindows(services: Iterable<Service>, nameOf: Text): Finding[] {
  const candidates: FindingCandidate[] = [];
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
