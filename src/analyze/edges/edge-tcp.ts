/** Growth of each TCP flow's counts since the last look: failures, retransmissions, handshakes. */

import type { FlowTable } from "../flow/flows.js";
import type { Inspector } from "../inspector.js";
import { connectionOf } from "../sums/tcp.js";
import { createQuality, readQuality, synTimeNs, type TcpQuality } from "../tcp/quality.js";
import type { Edge } from "./edge-book.js";

/** A SYN not answered for so long has failed: it has been sent again by then, after one second (RFC 6298). */
const GIVEN_UP_US = 3_000_000;

const enum Last {
  /** The number that the inspector keeps with the flow: another one, another count. */
  link = 0,
  retransmitted = 1,
  failed = 2,
  /** Which of the connections on its ports had its handshake counted last. */
  handshake = 3,
  words = 4,
}

/** Remembers, by a flow's place among those of its IP version, what has been counted of it. 16 bytes a flow. */
export class TcpGrowth {
  readonly #flows: FlowTable;
  readonly #inspector: Inspector;
  readonly #quality = createQuality();
  #last = new Int32Array(1024 * Last.words);

  constructor(flows: FlowTable, inspector: Inspector) {
    this.#flows = flows;
    this.#inspector = inspector;
  }

  reserve(flows: number): void {
    if (flows * Last.words <= this.#last.length) return;
    const larger = new Int32Array(Math.max(flows * Last.words, this.#last.length * 2));
    larger.set(this.#last);
    this.#last = larger;
  }

  /** Adds the growth of a flow to its edge. True: its SYN waits for an answer, so it is to be asked again though no packet comes. */
  take(flow: number, place: number, edge: Edge, nowUs: number): boolean {
    const health = this.#read(flow, place);
    if (health === null) return false;
    const at = place * Last.words;
    const last = this.#last;
    const retransmitted = health.orig.retransmissions + health.reply.retransmissions;
    edge.retransmitted += retransmitted - last[at + Last.retransmitted]!;
    last[at + Last.retransmitted] = retransmitted;
    const isWaiting = health.state === "S0" && this.#waitsUntilUs(flow) > nowUs;
    // A connection that was given up and is answered later still counts as failed.
    const failed = Math.max(
      health.refused + health.unanswered - (isWaiting ? 1 : 0),
      last[at + Last.failed]!,
    );
    edge.failed += failed - last[at + Last.failed]!;
    last[at + Last.failed] = failed;
    if (health.handshakeUs !== null && health.connections > last[at + Last.handshake]!) {
      edge.handshakes?.observe(health.handshakeUs / 1e6);
      last[at + Last.handshake] = health.connections;
    }
    return isWaiting;
  }

  /** A flow has left its place. */
  forget(place: number): void {
    this.#last.fill(0, place * Last.words, (place + 1) * Last.words);
  }

  /** A flow has another place. */
  move(from: number, to: number): void {
    this.#last.copyWithin(to * Last.words, from * Last.words, (from + 1) * Last.words);
    this.forget(from);
  }

  /** null: no connection of it is kept. */
  #read(flow: number, place: number): TcpQuality | null {
    const { tcp } = this.#inspector;
    const connection = connectionOf(this.#flows, this.#inspector, flow);
    if (connection < 0) return null;
    const health = readQuality(this.#quality, tcp, connection, this.#flows.isBegunByB(flow));
    const at = place * Last.words;
    const link = this.#flows.link(flow);
    const isAnother =
      link !== this.#last[at] ||
      health.orig.retransmissions + health.reply.retransmissions < this.#last[at + Last.retransmitted]!;
    if (isAnother) {
      this.#last.fill(0, at, at + Last.words);
      this.#last[at + Last.link] = link;
    }
    return health;
  }

  #waitsUntilUs(flow: number): number {
    const connection = connectionOf(this.#flows, this.#inspector, flow);
    const synNs = synTimeNs(this.#inspector.tcp, connection);
    return synNs < 0 ? 0 : this.#inspector.originUs + synNs / 1000 + GIVEN_UP_US;
  }
}
