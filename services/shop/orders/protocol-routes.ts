import { createHash, randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply } from "fastify";
import type { Ballot } from "../../bft/ballot.js";
import { type Signer, signReceipt } from "../../bft/message.js";
import { describeCluster } from "../../bft/quorum.js";
import { certificateSchema, proposalSchema } from "../../bft/schema.js";
import { refusedCertificate } from "../../events/cluster-events.js";
import type { EventLog } from "../../events/event-log.js";
import { Places } from "../../events/places.js";
import type { Directory } from "../../service/directory.js";
import type { Plan } from "../../topology.js";
import { BadCertificate, type Coordinator } from "./order-coordinator.js";
import type { FaultSwitch, Liar } from "./order-fault.js";
import type { KeyRings } from "./order-rules.js";
import { AlreadyDifferent, type OrderStore, StoreAway } from "./order-store.js";

export interface NodeParts {
  plan: Plan;
  signer: Signer;
  keys: KeyRings;
  store: OrderStore;
  directory: Directory;
  ballot: Ballot;
  coordinator: Coordinator;
  fault: FaultSwitch;
  voteFaults: ReadonlyMap<string, number>;
  events: EventLog;
  liar: Liar;
  peers: readonly string[];
}

/** The routes between nodes, and those for the operator. */
export function addProtocolRoutes(http: FastifyInstance, parts: NodeParts): void {
  const { plan, signer, store, ballot, coordinator, fault, liar, events } = parts;
  const senders = new Places(plan);

  http.post("/bft/votes", async (request, reply) => {
    if (fault.current === "silent") return never(reply);
    const proposal = proposalSchema.safeParse(request.body);
    if (!proposal.success) return reply.code(400).send({ error: "not a proposal" });
    if (fault.current === "lying") return reply.send(liar.vote(proposal.data));
    const judged = await coordinator.judge(proposal.data);
    if (typeof judged !== "string") return reply.send(judged);
    return reply.code(409).send({ error: judged });
  });

  http.post("/bft/commits", async (request, reply) => {
    if (fault.current === "silent") return never(reply);
    const certificate = certificateSchema.safeParse(request.body);
    if (!certificate.success) return reply.code(400).send({ error: "not a certificate" });
    if (fault.current === "lying") {
      const { kind, opId, digest } = certificate.data;
      return reply.send(signReceipt({ kind, opId, digest, node: signer.node }, signer));
    }
    try {
      return reply.send(await coordinator.apply(certificate.data));
    } catch (error) {
      if (error instanceof BadCertificate) {
        const from = senders.nameOf(request.ip);
        events.note(refusedCertificate(error.message, certificate.data, from, request.ip), Date.now());
        return reply.code(403).send({ error: error.message });
      }
      if (error instanceof AlreadyDifferent) return reply.code(409).send({ error: error.message });
      if (error instanceof StoreAway) return reply.code(503).send({ error: error.message });
      throw error;
    }
  });

  http.get("/cluster", async () => ({
    node: signer.node,
    nodes: plan.cluster.nodes,
    quorum: plan.cluster.quorum,
    statement: describeCluster(plan.cluster.nodes, plan.cluster.quorum),
    fault: fault.current,
    database: (await store.ready()) ? "ready" : "away",
    keys: createHash("sha256").update(JSON.stringify(plan.publicKeys)).digest("hex").slice(0, 16),
    proposalsRefused: Object.fromEntries(ballot.refused),
    votesRefused: Object.fromEntries(parts.voteFaults),
  }));

  /** A vote without an operation: shows each node's answer, and writes nothing. */
  http.post("/cluster/check", async (_request, reply) => {
    if (fault.current === "silent") return never(reply);
    const result = await coordinator.agree("CHECK", randomUUID(), {}, plan.cluster.nodes);
    return reply.send({ unanimous: result.certificate !== undefined, missing: result.missing });
  });
}

/** A silent node takes the request and never answers; the connection ends when the caller gives up. */
export function never(reply: FastifyReply): FastifyReply {
  reply.hijack();
  return reply;
}
