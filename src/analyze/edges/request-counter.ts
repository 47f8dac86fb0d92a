/** From operations to edges: adds each operation's growth since the last look to the edge between its ends' names. */

import type { Names } from "../../capture/names/names.js";
import { edgeLabel } from "../../format.js";
import type { Channel } from "../app/operations.js";
import type { Inspector } from "../inspector.js";
import { EXTERNAL, type RequestEdge } from "./edge-book.js";
import { REQUEST_BOUNDS } from "./histogram.js";
import type { SeriesBook } from "./series-book.js";

const BOUNDS_US = REQUEST_BOUNDS.map((seconds) => seconds * 1e6);
const WORDS = REQUEST_BOUNDS.length;

/** The counted part of one operation. */
interface RequestCounts {
  requests: number;
  errors: number;
  answers: number;
  sumUs: number;
  readonly counts: Float64Array;
  /** null: to be looked up again. */
  edge: RequestEdge | null;
  overflowed: boolean;
}

/**
 * Follows an inspector's operations, whose numbers never change. What has been counted is never moved, so counters only grow,
 * whatever is renamed. Costs some 150 bytes an operation, and at each look a microsecond for one that has grown.
 */
export class RequestCounter {
  readonly #inspector: Inspector;
  readonly #book: SeriesBook<RequestEdge>;
  readonly #counted: RequestCounts[] = [];
  readonly #counts = new Float64Array(WORDS);
  #names: Names | null = null;
  #freed = 0;

  constructor(inspector: Inspector, book: SeriesBook<RequestEdge>) {
    this.#inspector = inspector;
    this.#book = book;
  }

  /** Counts what has come since the last call. */
  update(names: Names | null, nowUs: number): void {
    if (names !== this.#names || this.#book.freed !== this.#freed) {
      for (const counted of this.#counted)
        if (names !== this.#names || counted.overflowed) counted.edge = null;
      this.#names = names;
      this.#freed = this.#book.freed;
    }
    const { list } = this.#inspector.operations;
    for (let i = 0; i < list.length; i++) {
      this.#counted[i] ??= createRequestCounts();
      this.#count(i, this.#counted[i]!, nowUs);
    }
    this.#book.expire(nowUs);
  }

  #count(operation: number, counted: RequestCounts, nowUs: number): void {
    const of = this.#inspector.operations.list[operation]!;
    const { requests, errors, durations } = of;
    if (requests === counted.requests && durations.count === counted.answers) return;
    const edge = this.#edgeOf(of.channel, of.application, counted, nowUs);
    edge.requests += requests - counted.requests;
    edge.errors += errors - counted.errors;
    edge.durations.count += durations.count - counted.answers;
    edge.durations.sum += (durations.sumUs - counted.sumUs) / 1e6;
    durations.countUpTo(BOUNDS_US, this.#counts);
    const { counts } = edge.durations;
    for (let i = 0; i < WORDS; i++) counts[i] = counts[i]! + this.#counts[i]! - counted.counts[i]!;
    edge.lastUs = nowUs;
    counted.requests = requests;
    counted.errors = errors;
    counted.answers = durations.count;
    counted.sumUs = durations.sumUs;
    counted.counts.set(this.#counts);
  }

  #edgeOf(channel: Channel, application: string, counted: RequestCounts, nowUs: number): RequestEdge {
    if (counted.edge !== null && counted.edge.state === "listed") return counted.edge;
    const [source, destination] = [this.#label(channel, false), this.#label(channel, true)];
    if (source === null || destination === null) return this.#book.other(application, nowUs);
    const edge = this.#book.claim(source, destination, application, nowUs);
    const isOther = edge.source !== source || edge.destination !== destination;
    if (isOther && !counted.overflowed) this.#book.overflow++;
    counted.overflowed = isOther;
    counted.edge = edge;
    return edge;
  }

  /** null: the shared channel beyond the limit. */
  #label(channel: Channel, ofServer: boolean): string | null {
    const { channels } = this.#inspector;
    const { address, port } = channels.end(channel, ofServer);
    if (address === null) return null;
    const name = this.#names?.find(address, port, channels.startUs(channel)) ?? null;
    return name === null ? EXTERNAL : edgeLabel(name);
  }
}

function createRequestCounts(): RequestCounts {
  const counts = new Float64Array(WORDS);
  return { requests: 0, errors: 0, answers: 0, sumUs: 0, counts, edge: null, overflowed: false };
}
