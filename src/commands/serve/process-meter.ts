/** What the process costs: processor, memory, and how long its loop makes others wait. */
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import type { ExposedProcess } from "../../report/metrics/process.js";

const WINDOW_MS = 10_000;
const NANOSECONDS = 1e9;

export class ProcessMeter {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: 10 });
  readonly #timer: NodeJS.Timeout;
  #loopDelayMax = 0;
  #loopDelayMean = 0;
  scrapes = 0;
  scrapeSeconds = 0;

  constructor() {
    this.#delay.enable();
    this.#timer = setInterval(() => this.#turn(), WINDOW_MS).unref();
  }

  measure(): Omit<ExposedProcess, "refused" | "connections" | "polls" | "reloads"> {
    const { user, system } = process.cpuUsage();
    return {
      cpuSeconds: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      startSeconds: (performance.timeOrigin || Date.now()) / 1000,
      loopDelayMax: this.#loopDelayMax,
      loopDelayMean: this.#loopDelayMean,
      scrapes: this.scrapes,
      scrapeSeconds: this.scrapeSeconds,
    };
  }

  close(): void {
    this.#delay.disable();
    clearInterval(this.#timer);
  }

  #turn(): void {
    const { max, mean } = this.#delay;
    this.#loopDelayMax = max / NANOSECONDS;
    this.#loopDelayMean = Number.isFinite(mean) ? mean / NANOSECONDS : 0;
    this.#delay.reset();
  }
}
