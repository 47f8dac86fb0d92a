/** What a run or a replay brings, handed to the monitor together with what it tells of. */
import { performance } from "node:perf_hooks";
import { EventCourse } from "../../analyze/events.js";
import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import type { HealthReport, Snapshot } from "../../analyze/snapshot/snapshot.js";
import { growTree } from "../../report/graph/topology-tree.js";
import type { App } from "../../tui/app.js";
import type { ReplayView } from "./tui-replay.js";

/** Rows of each table that the monitor holds: more than a person scrolls through. */
export const MONITOR_ROWS = 1000;
/** A look may not push what happened before off the screen, nor take long. */
const LIMITS = { maxPairs: 10_000, maxNewPairs: 5 };

export class MonitorFeed implements ReplayView {
  readonly app: App;
  readonly #course = new EventCourse(LIMITS);
  /** When a Snapshot was last shown, in seconds; null: none was. */
  #last: number | null = null;

  constructor(app: App) {
    this.app = app;
  }

  /** `given` seconds of the packets' time have passed since the Snapshot before; without, as many as the clock says. */
  async show(snapshot: Snapshot, given?: number): Promise<void> {
    const now = performance.now() / 1000;
    const seconds = given ?? (this.#last === null ? 0 : now - this.#last);
    this.#last = now;
    // Of the whole table: a pair that rises into the rows that are held need not be new.
    const events = this.#course.look(snapshot);
    const limited = limitSnapshot(snapshot, MONITOR_ROWS);
    const time = given === undefined ? new Date().toISOString() : undefined;
    this.app.onSnapshot(limited, growTree(limited.tables.pairs), seconds, events, time);
  }

  showHealth(report: HealthReport): void {
    this.app.onHealth(report, this.#course.health(report));
  }
}
