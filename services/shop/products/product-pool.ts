import { Counter, Gauge, type Registry } from "prom-client";
import { call } from "../../service/call.js";
import type { Directory, Place } from "../../service/directory.js";

const CHECK_MS = 2000;

/** The product instances that answer, in turn; counts the requests of each. */
export class ProductPool {
  readonly #sick = new Set<string>();
  readonly distribution = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly directory: Directory,
    metrics: Registry,
  ) {
    const { distribution } = this;
    new Counter({
      name: "gateway_product_requests_total",
      help: "Requests given to each product instance.",
      labelNames: ["product_instance"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const [instance, count] of distribution) this.inc({ product_instance: instance }, count);
      },
    });
    const healthy = (): number => this.healthy;
    new Gauge({
      name: "gateway_product_healthy",
      help: "Product instances that answer.",
      registers: [metrics],
      collect() {
        this.set(healthy());
      },
    });
  }

  start(): void {
    this.#timer = setInterval(() => void this.#check(), CHECK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get healthy(): number {
    return this.directory.all("product-service").filter((place) => !this.#sick.has(place.instance)).length;
  }

  /** A GET, which is safe to repeat: each instance at most once, the healthy ones first. */
  async get(path: string): Promise<{ status: number; body: unknown; instance: string } | undefined> {
    const places = this.directory.inTurn("product-service");
    const ordered = [
      ...places.filter((place) => !this.#sick.has(place.instance)),
      ...places.filter((place) => this.#sick.has(place.instance)),
    ];
    for (const place of ordered) {
      const answer = await this.#ask(place, path);
      if (answer) return answer;
    }
    await this.directory.refresh();
    const last = this.directory.inTurn("product-service")[0];
    return last && this.#ask(last, path);
  }

  async #ask(place: Place, path: string) {
    try {
      const { status, body } = await call(`http://${place.address}:${place.port}${path}`, {
        timeoutMs: 1500,
      });
      if (status >= 500) return undefined;
      this.distribution.set(place.instance, (this.distribution.get(place.instance) ?? 0) + 1);
      return { status, body, instance: place.instance };
    } catch {
      this.#sick.add(place.instance);
      return undefined;
    }
  }

  async #check(): Promise<void> {
    await Promise.all(
      this.directory.all("product-service").map(async (place) => {
        const well = await call(`http://${place.address}:${place.port}/health`, { timeoutMs: 1000 }).then(
          ({ status }) => status === 200,
          () => false,
        );
        if (well) this.#sick.delete(place.instance);
        else this.#sick.add(place.instance);
      }),
    );
  }
}
