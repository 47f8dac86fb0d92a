import { createClient } from "@redis/client";
import type { FastifyBaseLogger } from "fastify";

// a slow cache is worse than none
const COMMAND_TIMEOUT_MS = 200;

/** The catalogue's cache in Redis. Every failure is a miss: the service works without it. */
export class ProductCache {
  readonly #client;
  readonly counts = { hit: 0, miss: 0, unavailable: 0 };

  constructor(
    url: string,
    private readonly log: FastifyBaseLogger,
  ) {
    this.#client = createClient({
      url,
      disableOfflineQueue: true,
      commandsQueueMaxLength: 1000,
      socket: {
        connectTimeout: 1000,
        reconnectStrategy: (retries) => Math.min(100 * 2 ** retries, 2000),
      },
    });
    let away = false;
    this.#client.on("error", (error: Error) => {
      if (!away) this.log.warn({ reason: error.message }, "the cache is away");
      away = true;
    });
    this.#client.on("ready", () => {
      away = false;
      this.log.info("the cache is there");
    });
  }

  get ready(): boolean {
    return this.#client.isReady;
  }

  start(): void {
    this.#client.connect().catch(() => {});
  }

  stop(): void {
    this.#client.destroy();
  }

  async read(key: string): Promise<string | undefined> {
    if (!this.ready) {
      this.counts.unavailable++;
      return undefined;
    }
    try {
      const value = await bounded(this.#client.get(key));
      this.counts[value === null ? "miss" : "hit"]++;
      return value ?? undefined;
    } catch {
      this.counts.unavailable++;
      return undefined;
    }
  }

  async write(key: string, value: string, seconds: number): Promise<void> {
    if (!this.ready) return;
    await bounded(this.#client.set(key, value, { expiration: { type: "EX", value: seconds } })).catch(
      () => {},
    );
  }
}

async function bounded<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("too slow")), COMMAND_TIMEOUT_MS);
  });
  work.catch(() => {});
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
