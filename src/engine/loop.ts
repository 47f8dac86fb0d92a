/** The loop of a live run: reads its sources in parallel, calls back at every interval, ends at the signal. */
import type { LiveSource } from "../capture/live/live.js";
import type { Packet } from "../capture/packet.js";

/** The next step after a packet. */
export const enum Next {
  packet = 0,
  /** Wait for `settle` first: what the packet went to is full. */
  settle = 1,
  /** This was the last packet. */
  stop = 2,
}

export interface LoopOptions {
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
  /** Ends the run in an orderly way: the sources stop, and packets that have arrived are still taken. */
  readonly signal: AbortSignal;
}

/** Runs until every source has ended, the signal aborts, or `take` returns `Next.stop`. Throws errors of callbacks. Closes nothing. */
export async function runLoop(options: LoopOptions): Promise<void> {
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
  options: LoopOptions,
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
function startTicker(options: LoopOptions, intervalMs: number, fail: () => void): { end(): Promise<void> } {
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
