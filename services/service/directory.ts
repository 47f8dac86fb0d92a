import { z } from "zod";
import { call } from "./call.js";

const foundSchema = z.object({
  services: z.record(
    z.string(),
    z.array(z.object({ instance: z.string(), address: z.string(), port: z.int() })),
  ),
});

export interface Place {
  instance: string;
  address: string;
  port: number;
}

const POLL_MS = 1000;

/** The current places of called services. Keeps the last answer while the registry is away. */
export class Directory {
  readonly #places = new Map<string, Place[]>();
  readonly #turn = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #refreshing: Promise<void> | undefined;
  #seen = "";

  constructor(
    private readonly registry: string,
    private readonly services: readonly string[],
    private readonly onChange: () => void = () => {},
  ) {}

  async start(): Promise<void> {
    await this.refresh();
    this.#timer = setInterval(() => void this.refresh(), POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Asks now; concurrent calls share the answer. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#ask().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  all(service: string): readonly Place[] {
    return this.#places.get(service) ?? [];
  }

  /** All places of a service, beginning with the next in turn. */
  inTurn(service: string): Place[] {
    const places = this.all(service);
    const turn = (this.#turn.get(service) ?? 0) % Math.max(places.length, 1);
    this.#turn.set(service, turn + 1);
    return [...places.slice(turn), ...places.slice(0, turn)];
  }

  async #ask(): Promise<void> {
    try {
      const { body } = await call(`${this.registry}/discover?services=${this.services.join(",")}`, {
        timeoutMs: 1500,
      });
      for (const [service, places] of Object.entries(foundSchema.parse(body).services))
        if (places.length > 0) this.#places.set(service, places);
    } catch {
      return;
    }
    const seen = JSON.stringify([...this.#places]);
    if (seen === this.#seen) return;
    this.#seen = seen;
    this.onChange();
  }
}
