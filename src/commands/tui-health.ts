/** Health for the monitor: a round every interval, while it runs. */
import { PeerThread } from "../capture/peers/peer-thread.js";
import type { EventWriter } from "../engine/event-writer.js";
import { openHealthPoll } from "../engine/health-poll.js";
import type { MonitorFeed } from "./tui-feed.js";

export interface HealthWatchOptions {
  readonly names?: string;
  readonly registry?: URL;
  /** Seconds from one round to the next; one that is still under way is not begun again. */
  readonly healthInterval: number;
}

export interface HealthWatch {
  /** Resolves when all that it needs is read from disk. */
  load(): Promise<void>;
  end(): void;
}

const NOBODY: HealthWatch = { load: async () => {}, end: () => {} };

/** Begins where a names file says whom to ask. Throws CommandError. */
export function watchHealth(
  { names, registry, healthInterval }: HealthWatchOptions,
  feed: MonitorFeed,
  events: EventWriter | null = null,
): HealthWatch {
  if (names === undefined) return NOBODY;
  const peers = new PeerThread();
  const poll = openHealthPoll(names, registry, peers);
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
    if (poll.problem !== null && poll.problem !== problem)
      feed.app.onNote("error", poll.problem, report.time);
    problem = poll.problem;
  };
  void round();
  const timer = setInterval(() => void round(), healthInterval * 1000);
  return {
    load: () => peers.load(),
    end() {
      ended = true;
      clearInterval(timer);
      void peers.close();
    },
  };
}
