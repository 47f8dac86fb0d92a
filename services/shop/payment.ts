import { certificateFlaw } from "../bft/certificate.js";
import { certificateSchema, paymentPayloadSchema } from "../bft/schema.js";
import { refusedCertificate } from "../events/cluster-events.js";
import { openEventLog } from "../events/event-log.js";
import { Places } from "../events/places.js";
import { createApp } from "../service/app.js";
import type { Identity } from "../service/identity.js";
import { runService } from "../service/run-service.js";
import { keyRings } from "./orders/order-rules.js";

const LEDGER_LIMIT = 100_000;

/** Takes money once for each order, and only with signatures of every order node. */
export async function startPayment(identity: Identity): Promise<void> {
  const { plan, instance } = identity;
  const keys = keyRings(plan).nodes;
  const ledger = new Map<string, number>();
  let refused = 0;
  const app = createApp(instance.name, () => ({ payments: ledger.size, refused }));
  const events = openEventLog(plan.events, instance.name, (problem) => app.http.log.error(problem));
  const senders = new Places(plan);

  app.http.post("/payments", async (request, reply) => {
    const certificate = certificateSchema.safeParse(request.body);
    const payment = paymentPayloadSchema.safeParse(certificate.data?.payload);
    if (!certificate.success || !payment.success || payment.data.orderId !== certificate.data.opId)
      return reply.code(400).send({ error: "not a payment" });
    const flaw =
      certificate.data.kind === "PROCESS_PAYMENT"
        ? certificateFlaw(certificate.data, keys, plan.cluster.nodes)
        : "not a payment's certificate";
    if (flaw) {
      refused++;
      const from = senders.nameOf(request.ip);
      events.note(refusedCertificate(flaw, certificate.data, from, request.ip), Date.now());
      return reply.code(403).send({ error: flaw });
    }
    const { orderId, amountCents } = payment.data;
    if (ledger.has(orderId)) return reply.code(200).send({ status: "already taken" });
    if (ledger.size >= LEDGER_LIMIT) return reply.code(503).send({ error: "the ledger is full" });
    ledger.set(orderId, amountCents);
    request.log.info({ orderId, amountCents }, "payment taken");
    return reply.code(201).send({ status: "taken" });
  });

  app.http.get<{ Params: { id: string } }>("/payments/:id", async (request, reply) => {
    const amountCents = ledger.get(request.params.id);
    if (amountCents === undefined) return reply.code(404).send({ error: "no such payment" });
    return reply.send({ orderId: request.params.id, amountCents });
  });

  await runService(identity, app, { stop: async () => events.close(Date.now()) });
}
