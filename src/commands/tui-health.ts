/** Health for the monitor: a round every interval, while it runs. */
import type { EventWriter } from "./event-writer.js";
import { openHealthPoll } from "./health-poll.js";
import type { MonitorFeed } from "./tui-feed.js";

export interface HealthWatchOptions {
  readonly names?: string;
  readonly registry?: URL;
  /** Seconds from one round to the next; one that is still under way is not begun again. */
  readonly healthInterval: number;
}

/** Begins where a names file says whom to ask; gives the way to end. */
export function watchHealth(
  { names, registry, healthInterval }: HealthWatchOptions,
  feed: MonitorFeed,
  events: EventWriter | null = null,
): () => void {
  if (names === undefined) return () => {};
  const poll = openHealthPoll(names, registry);
  let problem: string | null = null;
  let busy = false;
  let ended = false;
  const round = async () => {
    if (busy) return;
    busy = true;
    const report = await poll.round();
    busy = false;
    if (ended) return;
    if (report.targets.length > 0) feed.showHealth(report);
    events?.health(report, Date.now() * 1000);
    if (poll.registryFailure !== null && poll.registryFailure !== problem)
      feed.app.onNote("error", `registry: ${poll.registryFailure}`, report.time);
    problem = poll.registryFailure;
  };
  void round();
  const timer = setInterval(() => void round(), healthInterval * 1000);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}
