/** The loop of a live run: pumps its sources side by side, calls back at every interval, ends when told to. */
import type { LiveSource } from "../capture/live/live.js";
import type { Packet } from "../capture/packet.js";

/** What the taker of a packet wants next. */
export const enum Next {
  packet = 0,
  /** Wait for `settle` first: what the packet went to is full. */
  settle = 1,
  /** This was the last packet. */
  stop = 2,
}

export interface WatchOptions {
  readonly sources: readonly LiveSource[];
  /** Takes one packet of source number `source`. Borrows it. Called for every packet: makes no objects. */
  take(packet: Packet, source: number): Next;
  /** Called when the bytes of the packets taken are about to be used again. */
  flush(): void;
  /** Makes room after `Next.settle`. */
  settle(): Promise<void>;
  /** Called every `intervalMs`, never twice at once; a slow one delays the next, not the packets. */
  tick(): Promise<void>;
  readonly intervalMs: number;
  /** Ends the run in good order: the sources take in no more, and what has come is still taken. */
  readonly signal: AbortSignal;
}

/** Runs until every source has ended, the signal says so, or `take` does. Throws what a callback threw. Closes nothing. */
export async function watch(options: WatchOptions): Promise<void> {
  const { sources, signal, intervalMs } = options;
  const state = { stopped: false };
  const stop = () => {
    for (const source of sources) source.stop();
  };
  const ticker = startTicker(options, intervalMs, () => {
    state.stopped = true;
    stop();
  });
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop);
  try {
    await Promise.all(sources.map((source, i) => pump(options, source, i, state, stop)));
  } finally {
    signal.removeEventListener("abort", stop);
    await ticker.end();
  }
}

async function pump(
  options: WatchOptions,
  source: LiveSource,
  index: number,
  state: { stopped: boolean },
  stop: () => void,
): Promise<void> {
  try {
    do {
      while (!state.stopped && source.next()) {
        const next = options.take(source.packet, index);
        if (next === Next.packet) continue;
        if (next === Next.stop) {
          state.stopped = true;
          stop();
        } else await options.settle();
      }
      options.flush();
    } while (!state.stopped && (await source.fill()));
  } catch (error) {
    state.stopped = true;
    stop();
    throw error;
  }
}

/** Calls `tick` at every interval. `end` stops that, waits for the one under way, and throws what one of them threw. */
function startTicker(options: WatchOptions, intervalMs: number, fail: () => void): { end(): Promise<void> } {
  let running: Promise<void> | null = null;
  let failure: { error: unknown } | null = null;
  const run = async () => {
    try {
      await options.tick();
    } catch (error) {
      failure ??= { error };
      fail();
    }
    running = null;
  };
  const timer = setInterval(() => {
    running ??= run();
  }, intervalMs);
  return {
    async end() {
      clearInterval(timer);
      await running;
      if (failure !== null) throw failure.error;
    },
  };
}
