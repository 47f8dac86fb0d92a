/** What `netwatch serve` watches: a live run, followed by counters that only grow, for as long as it runs. */

import { EndNames } from "../../analyze/conntrack/ends.js";
import { countVerdicts } from "../../analyze/conntrack/joined.js";
import { buildLimits } from "../../analyze/conntrack/limits.js";
import { buildConntrackServices, buildStates } from "../../analyze/conntrack/services.js";
import { EdgeBook, EXTERNAL } from "../../analyze/edges/edge-book.js";
import { EdgeCounter } from "../../analyze/edges/edges.js";
import { RequestCounter } from "../../analyze/edges/request-counter.js";
import { InterfaceTracker } from "../../analyze/event-tracker.js";
import { Evidence } from "../../analyze/evidence.js";
import { type ConntrackContext, factsOf } from "../../analyze/snapshot/build.js";
import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import type { CapturedOptions } from "../../engine/captured-options.js";
import type { EnrichingOptions } from "../../engine/enriching-options.js";
import type { HealthRound } from "../../engine/health/health-rounds.js";
import { LiveRun, type Polled, type Subscriber } from "../../engine/run.js";
import type { ExposedConnections, ExposedEvidence } from "../../report/metrics/state.js";
import { asCommandError } from "../capture/capture-errors.js";
import { capturedOf, enrichingOf } from "../capture/live-options.js";
import type { Terminal } from "../terminal.js";
import { type ExposedPackets, exposeAnalyzer } from "./exposition.js";
import { PollTimes } from "./poll-times.js";
import { Residuals } from "./residuals.js";

/** Rows of each table that a Snapshot has beside `other`. */
const SNAPSHOT_ROWS = 1000;
const TICK_MS = 1000;
/** Ticks from one look to the next: a full table of connection tracking takes a tenth of a second. */
const LOOK_TICKS = 5;
/** Conversations and tracked connections that are held against each other; of more it is not said who saw them. */
const MAX_JUDGED = 50_000;

export interface ServedRunOptions extends CapturedOptions, EnrichingOptions {
  readonly maxFlows: number;
  readonly maxSamples: number;
  readonly ttlSeconds: number;
}

/** The parts of a page that come from what is watched. */
export interface ServedExposition extends ExposedPackets {
  readonly connections: ExposedConnections | null;
  readonly evidence: readonly ExposedEvidence[] | null;
}

export class ServedRun implements Subscriber {
  readonly polls = new PollTimes(["names", "conntrack"] satisfies Polled[]);
  readonly #run: LiveRun;
  readonly #book: EdgeBook;
  readonly #counter: EdgeCounter;
  readonly #requests: RequestCounter;
  readonly #residuals = new Residuals();
  readonly #interfaces = new InterfaceTracker();
  readonly #say: (line: string) => void;
  #connections: ExposedConnections | null = null;
  #evidence: readonly ExposedEvidence[] | null = null;

  private constructor(
    run: LiveRun,
    { maxSamples, ttlSeconds }: ServedRunOptions,
    say: (line: string) => void,
  ) {
    this.#run = run;
    this.#say = say;
    this.#book = new EdgeBook({ maxSamples, ttlUs: ttlSeconds * 1e6 });
    this.#counter = new EdgeCounter(run.analyzer, this.#book.edges);
    this.#requests = new RequestCounter(run.analyzer.inspector, this.#book.requests);
  }

  /** Opens all that needs rights. An interface that goes away later is waited for. Throws CommandError. */
  static async open(options: ServedRunOptions, producer: string, terminal: Terminal): Promise<ServedRun> {
    const captured = { ...capturedOf(options), waits: true };
    const enriching = { ...enrichingOf(options), conntrack: true, numeric: false };
    try {
      const run = await LiveRun.open(captured, enriching, producer, terminal, EXTERNAL);
      return new ServedRun(run, options, (line) => terminal.say(line));
    } catch (error) {
      throw asCommandError(error, terminal);
    }
  }

  /** Takes packets until the signal comes or nothing more does. `events`: is told what happens until then. */
  async run(signal: AbortSignal, events: Subscriber | null): Promise<void> {
    const subscribers = events === null ? [this] : [this, events];
    const pace = { intervalMs: TICK_MS, lookTicks: LOOK_TICKS };
    this.#run.follow({ subscribers, ...pace, taker: null });
    await this.#run.takePackets(signal);
    this.#update();
    if (events !== null) this.#run.finish(null);
  }

  /** Why the capture ended without a signal; empty: it did not. */
  get failures(): readonly string[] {
    return this.#run.taps.failures;
  }

  expose(): ServedExposition {
    this.#update();
    const interfaces = this.#residuals.apply(this.#run.taps.ledger());
    const packets = exposeAnalyzer(this.#run.analyzer, this.#counter, this.#book, interfaces);
    return { ...packets, connections: this.#connections, evidence: this.#evidence };
  }

  /** With connection tracking as it was read last, where that can be had and is not too much to hold against the packets. */
  async snapshot(): Promise<Snapshot> {
    await this.#run.settled();
    const tracking = this.#run.conntrackContext();
    const isJudged = tracking !== null && this.#countJudged(tracking) <= MAX_JUDGED;
    this.#update();
    return limitSnapshot(this.#run.snapshot(isJudged ? tracking : null), SNAPSHOT_ROWS);
  }

  addHealth(round: HealthRound): void {
    this.#run.addHealth(round);
  }

  /** Reads the names file again. Throws what reading it throws; then the names before stay. */
  rereadNames(): void {
    this.#run.rereadNames();
  }

  close(): void {
    this.#run.close();
  }

  onTick(): void {
    const { taps } = this.#run;
    taps.noteCounters();
    const ledger = taps.ledger();
    this.#residuals.note(ledger);
    for (const { text } of this.#interfaces.follow(ledger)) this.#say(text);
    this.#update();
  }

  onPoll(what: Polled, ms: number, hasFailed: boolean): void {
    this.polls.note(what, ms, hasFailed);
  }

  onConntrack(context: ConntrackContext): void {
    const { namespaces, capture } = context;
    const ends = new EndNames(this.#run.currentNames()!);
    this.#connections = {
      tables: {
        services: buildConntrackServices(namespaces, ends),
        states: buildStates(namespaces),
        limits: buildLimits(namespaces),
      },
    };
    const { analyzer } = this.#run;
    this.#evidence =
      this.#countJudged(context) > MAX_JUDGED
        ? null
        : countVerdicts(analyzer.flows, new Evidence(analyzer.flows, namespaces, factsOf(analyzer, capture)));
  }

  #update(): void {
    const names = this.#run.currentNames()!;
    const nowUs = Date.now() * 1000;
    this.#counter.update(names, nowUs);
    this.#requests.update(names, nowUs);
  }

  #countJudged({ namespaces }: ConntrackContext): number {
    return namespaces.reduce((sum, { entries }) => sum + entries.count, this.#run.analyzer.flows.count);
  }
}
