import { randomUUID } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { digestOf, signProposal, signReceipt } from "../../bft/message.js";
import { type OrderPayload, orderPayloadSchema } from "../../bft/schema.js";
import { call } from "../../service/call.js";
import { orderDigest } from "./order-coordinator.js";
import { CLIENT, normalise, orderFlaw, priced } from "./order-rules.js";
import { type NodeParts, never } from "./protocol-routes.js";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export const orderBodySchema = {
  type: "object",
  required: ["customer", "items"],
  additionalProperties: false,
  properties: {
    customer: { type: "string", format: "email", maxLength: 200 },
    items: {
      type: "array",
      minItems: 1,
      maxItems: 20,
      items: {
        type: "object",
        required: ["productId", "quantity"],
        additionalProperties: false,
        properties: {
          productId: { type: "integer", minimum: 1, maximum: 1_000_000_000 },
          quantity: { type: "integer", minimum: 1, maximum: 100 },
        },
      },
    },
  },
} as const;

export const listQuerySchema = {
  type: "object",
  additionalProperties: false,
  properties: { limit: { type: "string", pattern: "^([1-9][0-9]?|100)$" } },
} as const;

interface OrderPost {
  Body: { customer: string; items: { productId: number; quantity: number }[] };
  Headers: { "idempotency-key"?: string; "x-order-signature"?: string };
}

/** The routes of a node for the gateway. */
export function addOrderRoutes(http: FastifyInstance, parts: NodeParts): void {
  const { keys, store, coordinator, fault } = parts;

  http.addHook("preHandler", async (request, reply) => {
    if (fault.current === "silent" && request.url.startsWith("/orders")) return never(reply);
  });
  http.post<OrderPost>("/orders", { schema: { body: orderBodySchema } }, async (request, reply) => {
    const opId = request.headers["idempotency-key"] ?? "";
    if (!UUID.test(opId))
      return reply.code(400).send({ error: "idempotency-key must be a UUID in lower case" });
    const order = normalise(request.body);
    const flaw = orderFlaw(order);
    if (flaw) return reply.code(400).send({ error: flaw });
    const clientSignature = request.headers["x-order-signature"] ?? "";
    if (!keys.client.verifiesOrder({ opId, ...order }, CLIENT, clientSignature))
      return reply.code(401).send({ error: "orders come through the gateway, signed" });
    const payload: OrderPayload = orderPayloadSchema.parse({ ...order, clientSignature });
    if (fault.current === "lying") return reply.code(201).send(await lie(parts, opId, payload));
    const before = await store.committedDigest(opId, "CREATE_ORDER");
    if (before !== undefined && before !== orderDigest(opId, payload))
      return reply.code(409).send({ error: "this idempotency-key stands for another order" });
    const placed = await coordinator.createOrder(opId, payload);
    if ("refused" in placed) return reply.code(503).send({ error: `order refused: ${placed.refused}` });
    const { totalCents } = priced(opId, payload);
    const payment = await payOnce(parts, opId, totalCents);
    void notify(parts, opId, payload.customer, totalCents);
    return reply.code(before === undefined ? 201 : 200).send({
      id: opId,
      status: "confirmed",
      totalCents,
      payment,
      coordinator: parts.signer.node,
      receipts: placed.receipts,
    });
  });

  http.post<{ Params: { id: string } }>("/orders/:id/payment", async (request, reply) => {
    const order = UUID.test(request.params.id) ? await store.order(request.params.id) : undefined;
    if (!order) return reply.code(404).send({ error: "no such order" });
    const payment = await payOnce(parts, order.id, order.totalCents);
    return reply.code(payment.status === "paid" ? 200 : 503).send({ id: order.id, payment });
  });

  http.get<{ Params: { id: string } }>("/orders/:id", async (request, reply) => {
    if (!UUID.test(request.params.id)) return reply.code(400).send({ error: "an order id is a UUID" });
    const order = await store.order(request.params.id);
    if (order && fault.current === "lying") return reply.send({ ...order, totalCents: 1 });
    return order ? reply.send(order) : reply.code(404).send({ error: "no such order" });
  });

  http.get<{ Querystring: { limit?: string } }>(
    "/orders",
    { schema: { querystring: listQuerySchema } },
    async (request) => ({ orders: await store.newest(Number(request.query.limit ?? 20)) }),
  );
}

async function payOnce(parts: NodeParts, orderId: string, totalCents: number) {
  const order = await parts.store.order(orderId);
  if (order?.payment.status === "paid") return { status: "paid" as const };
  return parts.coordinator.pay(orderId, totalCents);
}

/** Best effort: an order stands whether or not its mail does. */
async function notify(parts: NodeParts, opId: string, to: string, totalCents: number): Promise<void> {
  const place = parts.directory.inTurn("email")[0];
  if (!place) return;
  await call(`http://${place.address}:${place.port}/mails`, {
    method: "POST",
    timeoutMs: 1500,
    body: {
      key: opId,
      to,
      subject: `Your order ${opId.slice(0, 8)}`,
      text: `Thank you. The total is ${(totalCents / 100).toFixed(2)}.`,
    },
  }).catch(() => {});
}

/** A lying coordinator: tells its peers different things and shows the gateway forged receipts. */
async function lie(parts: NodeParts, opId: string, payload: OrderPayload): Promise<unknown> {
  const { signer, coordinator, liar, peers } = parts;
  const digest = digestOf("CREATE_ORDER", opId, payload);
  const proposal = signProposal(
    {
      kind: "CREATE_ORDER",
      opId,
      payload,
      digest,
      proposer: signer.node,
      nonce: randomUUID(),
      at: Date.now(),
    },
    signer,
  );
  await Promise.allSettled(peers.map((peer) => coordinator.ask(peer, proposal)));
  for (const contradiction of liar.contradictions(proposal))
    await Promise.allSettled(peers.map((peer) => coordinator.ask(peer, contradiction)));
  const forge = (node: string) => signReceipt({ kind: "CREATE_ORDER", opId, digest, node }, signer);
  return {
    id: opId,
    status: "confirmed",
    totalCents: 1,
    payment: { status: "paid" },
    coordinator: signer.node,
    receipts: [forge(signer.node), ...peers.map(forge)],
  };
}
