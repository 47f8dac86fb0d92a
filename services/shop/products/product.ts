import { Gauge } from "prom-client";
import { createApp } from "../../service/app.js";
import type { Identity } from "../../service/identity.js";
import { runService } from "../../service/run-service.js";
import { instancesOf } from "../../topology.js";
import { CATALOGUE, productById } from "./catalogue.js";
import { ProductCache } from "./product-cache.js";

const CACHE_SECONDS = 300;

export async function startProduct(identity: Identity): Promise<void> {
  const redis = instancesOf(identity.plan, "redis-cache")[0]!;
  const app = createApp(identity.instance.name, () => ({ cache: cache.ready ? "ready" : "away" }));
  const cache = new ProductCache(`redis://${redis.address}:${redis.ports[0]}`, app.http.log);
  const cached = async (key: string, load: () => unknown): Promise<string> => {
    const known = await cache.read(key);
    if (known !== undefined) return known;
    const text = JSON.stringify(load());
    await cache.write(key, text, CACHE_SECONDS);
    return text;
  };

  app.http.get("/products", async (_request, reply) => {
    reply.type("application/json").header("x-instance", identity.instance.name);
    return cached("products", () => ({ products: CATALOGUE }));
  });

  app.http.get<{ Params: { id: string } }>("/products/:id", async (request, reply) => {
    reply.header("x-instance", identity.instance.name);
    // the path is text; only a short number is a product's id
    const text = request.params.id;
    if (!/^[1-9]\d{0,8}$/.test(text))
      return reply.code(400).send({ error: "a product id is a positive whole number" });
    const id = Number(text);
    if (!productById(id)) return reply.code(404).send({ error: `no product ${id}` });
    reply.type("application/json");
    return cached(`product:${id}`, () => productById(id));
  });

  new Gauge({
    name: "product_cache_reads_total",
    help: "Reads from the cache by outcome.",
    labelNames: ["outcome"],
    registers: [app.metrics],
    collect() {
      for (const [outcome, count] of Object.entries(cache.counts)) this.set({ outcome }, count);
    },
  });

  await runService(identity, app, {
    start: async () => cache.start(),
    stop: async () => cache.stop(),
  });
}
