/** Health for the monitor: a round every interval, while it runs. */
import type { App } from "../tui/app.js";
import { openHealthPoll } from "./health-poll.js";

const INTERVAL_MS = 10_000;

/** Begins where a names file says whom to ask; gives the way to end. */
export function watchHealth(
  { names, registry }: { readonly names?: string; readonly registry?: URL },
  app: App,
): () => void {
  if (names === undefined) return () => {};
  const poll = openHealthPoll(names, registry);
  let problem: string | null = null;
  let ended = false;
  const round = () => {
    void poll.round().then((report) => {
      if (ended) return;
      if (report.targets.length > 0) app.onHealth(report);
      if (poll.registryFailure !== null && poll.registryFailure !== problem)
        app.onEvent("error", `registry: ${poll.registryFailure}`, report.time);
      problem = poll.registryFailure;
    });
  };
  round();
  const timer = setInterval(round, INTERVAL_MS);
  return () => {
    ended = true;
    clearInterval(timer);
  };
}
