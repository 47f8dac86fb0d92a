/** How TCP fares: pairs that lose, wait, refuse or reset more than they should. */
import { formatCount, formatCounted, formatDuration, formatRatio } from "../../format.js";
import type { Finding } from "../snapshot.js";
import type { TcpSum } from "../tables/tcp.js";
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

/** The ends of pairs of services, from who begins to who is asked, by their labels' numbers. */
export interface PairEnds {
  source(pair: number): number;
  destination(pair: number): number;
  text(label: number): string;
  /** Of the handshakes that were captured whole; null: there are none. */
  handshakeP50Us(pair: number): number | null;
}

/** Is shown the sums of all pairs one by one, and keeps what may be a finding. */
export class TcpWatch {
  readonly #ends: PairEnds;
  #segments = 0;
  #retransmissions = 0;
  readonly #lossy: { readonly pair: number; readonly segments: number; readonly retransmissions: number }[] =
    [];
  readonly #services = new Map<number, ServiceSum>();
  /** Pairs with enough handshakes. */
  readonly #opened: { readonly pair: number; readonly handshakes: number; readonly meanUs: number }[] = [];

  constructor(ends: PairEnds) {
    this.#ends = ends;
  }

  /** Takes up the sum of a pair, borrowed. Each pair once. */
  add(pair: number, sum: Readonly<TcpSum>): void {
    const { segments, retransmissions, handshakes, handshakeUs } = sum;
    this.#segments += segments;
    this.#retransmissions += retransmissions;
    const isEvidence = retransmissions >= LIMIT.retransmissions && segments >= LIMIT.segments;
    if (isEvidence && retransmissions / segments >= LIMIT.retransmissionRatio)
      this.#lossy.push({ pair, segments, retransmissions });
    if (handshakes >= LIMIT.handshakes)
      this.#opened.push({ pair, handshakes, meanUs: handshakeUs / handshakes });
    this.#addServices(pair, sum);
  }

  findings(): Finding[] {
    const services = [...this.#services].map(([label, sum]) => ({ ...sum, label }));
    const text = (label: number) => this.#ends.text(label);
    const open = "got no answer and stay half open";
    return [
      ...this.#findRetransmissions(),
      ...findFailed("half-open", services, text, ({ halfOpen }) => halfOpen, open),
      ...findFailed("refused", services, text, ({ refused }) => refused, "were refused"),
      ...findResets(services, text),
      ...findZeroWindows(services, text),
      ...this.#findSlowHandshakes(),
    ];
  }

  #addServices(pair: number, sum: Readonly<TcpSum>): void {
    const [from, to] = [this.#ends.source(pair), this.#ends.destination(pair)];
    const [source, destination] = [this.#service(from), this.#service(to)];
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

  #service(label: number): ServiceSum {
    const known = this.#services.get(label);
    if (known !== undefined) return known;
    const [refused, halfOpen, resets, zeroWindows, zeroWindowUs] = [0, 0, 0, 0, 0];
    const sum = { asked: 0, connections: 0, refused, halfOpen, resets, zeroWindows, zeroWindowUs };
    this.#services.set(label, sum);
    return sum;
  }

  #findRetransmissions(): Finding[] {
    const candidates = this.#lossy.map(({ pair, segments, retransmissions }): Candidate => {
      const ratio = retransmissions / segments;
      const counts = `${formatCount(retransmissions)} retransmissions in ${formatCounted(segments, "segment")}`;
      const ends = `${this.#source(pair)} and ${this.#destination(pair)}`;
      if (ratio >= LIMIT.doubledRatio) {
        const text = `Between ${ends} there are ${counts}: the capture may hold packets twice.`;
        return { severity: "notice", weight: ratio, text };
      }
      const rest = (this.#retransmissions - retransmissions) / (this.#segments - segments);
      const times = rest > 0 && ratio > rest ? `, ${formatTimes(ratio / rest)} the ratio of the rest` : "";
      return {
        severity: ratio >= LIMIT.retransmissionWarning ? "warning" : "notice",
        weight: ratio,
        text: `Between ${ends} ${formatRatio(ratio)} of the segments are sent again (${counts})${times}.`,
      };
    });
    return sayWorst("retransmissions", "pair", candidates);
  }

  /**
   * p50s are costly, means are at hand: half of the handshakes take the p50 or longer, so that the mean is half of it at least, and
   * the median pair is found by its mean.
   */
  #findSlowHandshakes(): Finding[] {
    const slow = this.#opened.filter(({ meanUs }) => meanUs >= (LIMIT.handshakeSeconds * 1e6) / 2);
    if (slow.length === 0 || this.#opened.length <= LIMIT.handshakePairs) return [];
    const order = [...this.#opened].sort((x, y) => x.meanUs - y.meanUs);
    const median = this.#ends.handshakeP50Us(order[(order.length - 1) >> 1]!.pair)!;
    const candidates = slow.flatMap(({ pair, handshakes }): Candidate[] => {
      const us = this.#ends.handshakeP50Us(pair)!;
      if (us / 1e6 < LIMIT.handshakeSeconds || us < median * LIMIT.handshakeTimes) return [];
      const times = median > 0 ? `${formatTimes(us / median)} the ` : "against ";
      const text = `Connections of ${this.#source(pair)} to ${this.#destination(pair)} take ${milliseconds(us)} to open (p50 of ${formatCounted(handshakes, "handshake")}), ${times}${milliseconds(median)} of the median pair.`;
      return [{ severity: "notice", weight: us, text }];
    });
    return sayWorst("slow-handshake", "pair", candidates);
  }

  #source(pair: number): string {
    return this.#ends.text(this.#ends.source(pair));
  }

  #destination(pair: number): string {
    return this.#ends.text(this.#ends.destination(pair));
  }
}

/** Sums over the connections of one service. */
interface ServiceSum {
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

type Service = Readonly<ServiceSum> & { readonly label: number };
type Text = (label: number) => string;

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
