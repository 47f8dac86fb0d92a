/** Health for the monitor: a round every interval, while it runs. */

import { HealthRounds } from "../../engine/health/health-rounds.js";
import type { EventWriter } from "../../engine/recording/event-writer.js";
import type { MonitorFeed } from "./tui-feed.js";

export interface HealthWatchOptions {
  readonly names?: string;
  readonly registry?: URL;
  /** Seconds from one round to the next; one that is still under way is not begun again. */
  readonly healthInterval: number;
}

/** Begins where a names file says whom to ask; null: none does. Throws CommandError. */
export function watchHealth(
  { names, registry, healthInterval }: HealthWatchOptions,
  feed: MonitorFeed,
  events: EventWriter | null = null,
): HealthRounds | null {
  if (names === undefined) return null;
  let before: string | null = null;
  const rounds = new HealthRounds(names, registry, ({ report, problem, timeUs }) => {
    if (report.targets.length > 0) feed.showHealth(report);
    events?.health(report, timeUs);
    if (problem !== null && problem !== before) feed.app.onNote("error", problem, report.time);
    before = problem;
  });
  rounds.start(healthInterval * 1000);
  return rounds;
}
