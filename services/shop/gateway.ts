import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { Gauge } from "prom-client";
import { signerFrom } from "../bft/message.js";
import { distrustedAnswer } from "../events/cluster-events.js";
import { openEventLog } from "../events/event-log.js";
import { createApp } from "../service/app.js";
import { Directory } from "../service/directory.js";
import type { Identity } from "../service/identity.js";
import { registryUrl, runService } from "../service/run-service.js";
import { readSecret } from "../service/secret.js";
import { instancesOf } from "../topology.js";
import { OrderClient } from "./orders/order-client.js";
import { listQuerySchema, orderBodySchema } from "./orders/order-routes.js";
import { CLIENT, keyRings, type OrderBody } from "./orders/order-rules.js";
import { ProductPool } from "./products/product-pool.js";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const LOG_DISTRIBUTION_MS = 30_000;

export async function startGateway(identity: Identity): Promise<void> {
  const { plan, instance } = identity;
  const directory = new Directory(registryUrl(plan), ["product-service"]);
  const app = createApp(instance.name, () => ({ products: pool.healthy }));
  const pool = new ProductPool(directory, app.metrics);
  const events = openEventLog(plan.events, instance.name, (problem) => app.http.log.error(problem));
  const signer = signerFrom(CLIENT, await readSecret(`${CLIENT}.pem`));
  const orders = new OrderClient(
    plan,
    instancesOf(plan, "order-service"),
    keyRings(plan).nodes,
    signer,
    (node, opId) => events.note(distrustedAnswer(node, opId), Date.now()),
  );
  addProductRoutes(app.http, pool);
  addOrderRoutes(app.http, orders);
  new Gauge({
    name: "gateway_order_answers_distrusted_total",
    help: "Answers of order nodes without enough receipts.",
    labelNames: ["node"],
    registers: [app.metrics],
    collect() {
      for (const [node, count] of orders.distrusted) this.set({ node }, count);
    },
  });
  const timer = setInterval(
    () =>
      app.http.log.info({ distribution: Object.fromEntries(pool.distribution) }, "product requests so far"),
    LOG_DISTRIBUTION_MS,
  );
  await runService(identity, app, {
    start: async () => {
      await directory.start();
      pool.start();
    },
    stop: async () => {
      clearInterval(timer);
      pool.stop();
      directory.stop();
      events.close(Date.now());
    },
  });
}

function addProductRoutes(http: FastifyInstance, pool: ProductPool): void {
  http.get("/products", async (_request, reply) => {
    const answer = await pool.get("/products");
    if (!answer) return reply.code(503).send({ error: "no product instance answers" });
    return reply.code(answer.status).header("x-instance", answer.instance).send(answer.body);
  });

  http.get<{ Params: { id: string } }>("/products/:id", async (request, reply) => {
    const { id } = request.params;
    if (!/^[1-9]\d{0,8}$/.test(id))
      return reply.code(400).send({ error: "a product id is a positive whole number" });
    const answer = await pool.get(`/products/${id}`);
    if (!answer) return reply.code(503).send({ error: "no product instance answers" });
    return reply.code(answer.status).header("x-instance", answer.instance).send(answer.body);
  });

  http.get("/distribution", () => ({
    healthy: pool.healthy,
    requests: Object.fromEntries(pool.distribution),
  }));
}

function addOrderRoutes(http: FastifyInstance, orders: OrderClient): void {
  http.post<{ Body: OrderBody }>("/orders", { schema: { body: orderBodySchema } }, async (request, reply) => {
    const key = request.headers["idempotency-key"];
    if (key !== undefined && (typeof key !== "string" || !UUID.test(key)))
      return reply.code(400).send({ error: "idempotency-key must be a UUID in lower case" });
    const answer = await orders.place(key ?? randomUUID(), request.body);
    return reply.code(answer.status).send(answer.body);
  });

  http.get<{ Params: { id: string } }>("/orders/:id", async (request, reply) => {
    if (!UUID.test(request.params.id)) return reply.code(400).send({ error: "an order id is a UUID" });
    const answer = await orders.read(request.params.id);
    return reply.code(answer.status).send(answer.body);
  });

  http.post<{ Params: { id: string } }>("/orders/:id/payment", async (request, reply) => {
    if (!UUID.test(request.params.id)) return reply.code(400).send({ error: "an order id is a UUID" });
    const answer = await orders.payment(request.params.id);
    return reply.code(answer.status).send(answer.body);
  });

  http.get<{ Querystring: { limit?: string } }>(
    "/orders",
    { schema: { querystring: listQuerySchema } },
    async (request, reply) => {
      const answer = await orders.list(`/orders?limit=${request.query.limit ?? 20}`);
      return reply.code(answer.status).send(answer.body);
    },
  );
}
