/** Health for the monitor: a round every interval, while it runs. */
import type { App } from "../tui/app.js";
import type { EventWriter } from "./event-writer.js";
import { openHealthPoll } from "./health-poll.js";

export interface HealthWatchOptions {
  readonly names?: string;
  readonly registry?: URL;
  /** Seconds from one round to the next; one that is still under way is not begun again. */
  readonly healthInterval: number;
}

/** Begins where a names file says whom to ask; gives the way to end. */
export function watchHealth(
  { names, registry, healthInterval }: HealthWatchOptions,
  app: App,
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
    if (report.targets.length > 0) app.onHealth(report);
    events?.health(report, Date.now() * 1000);
    if (poll.registryFailure !== null && poll.registryFailure !== problem)
      app.onEvent("error", `registry: ${poll.registryFailure}`, report.time);
    problem = poll.registryFailure;
  };
  void round();
  const timer = setInterval(() => void round(), healthInterval * 1000);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}
