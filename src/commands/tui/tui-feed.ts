/** Passes Snapshots of a run or a replay to the monitor, together with their events. */
import { performance } from "node:perf_hooks";
import { foldNewPairs, type NetworkEvent } from "../../analyze/event-tracker.js";
import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import type { HealthReport, Snapshot } from "../../analyze/snapshot/snapshot.js";
import type { HealthRound } from "../../engine/health/health-rounds.js";
import type { Subscriber } from "../../engine/run.js";
import type { App } from "../../tui/app.js";
import { growTree } from "../../view/map/topology-tree.js";
import type { ReplayView } from "./tui-replay.js";

/** Rows of each table that the monitor holds: more than a person scrolls through. */
export const MONITOR_ROWS = 1000;
/** A screen without an event log: a look at each of more pairs would take long. */
export const SCREEN_LIMITS = { maxPairs: 10_000 };
/** New pairs that one look shows one by one: it may not push what happened before off the screen. */
const MAX_NEW_PAIRS = 5;

export class MonitorFeed implements ReplayView, Subscriber {
  readonly wantsEvidence = true;
  readonly app: App;
  /** Since the last Snapshot or round of health checks. */
  #events: NetworkEvent[] = [];
  /** Of the last round of health checks. */
  #problem: string | null = null;
  /** Time of the last shown Snapshot in seconds; null: none. */
  #last: number | null = null;

  constructor(app: App) {
    this.app = app;
  }

  onEvent(event: NetworkEvent): void {
    this.#events.push(event);
  }

  onSnapshot(snapshot: Snapshot): void {
    const now = performance.now() / 1000;
    const seconds = this.#last === null ? 0 : now - this.#last;
    this.#last = now;
    this.#show(snapshot, seconds, new Date().toISOString());
  }

  /** The monitor shows a problem once, until it is another. */
  onHealth({ report, problem }: HealthRound): void {
    if (report.targets.length > 0) this.showHealth(report);
    if (problem !== null && problem !== this.#problem) this.app.onNote("error", problem, report.time);
    this.#problem = problem;
  }

  show(snapshot: Snapshot, seconds: number): void {
    this.#show(snapshot, seconds);
  }

  showHealth(report: HealthReport): void {
    this.app.onHealth(report, this.#takeEvents());
  }

  #show(snapshot: Snapshot, seconds: number, time?: string): void {
    const limited = limitSnapshot(snapshot, MONITOR_ROWS);
    this.app.onSnapshot(limited, growTree(limited.tables.pairs), seconds, this.#takeEvents(), time);
  }

  #takeEvents(): NetworkEvent[] {
    const events = foldNewPairs(this.#events, MAX_NEW_PAIRS);
    this.#events = [];
    return events;
  }
}
