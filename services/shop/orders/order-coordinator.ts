import type { FastifyBaseLogger } from "fastify";
import { z } from "zod";
import type { Ballot, Refusal } from "../../bft/ballot.js";
import { certificateFlaw } from "../../bft/certificate.js";
import {
  type Certificate,
  digestOf,
  type Proposal,
  type Receipt,
  type Signer,
  signReceipt,
  type Vote,
} from "../../bft/message.js";
import { toleratedLiars } from "../../bft/quorum.js";
import { type PeerAnswer, type RoundResult, runRound } from "../../bft/round.js";
import { type OrderPayload, orderPayloadSchema, receiptSchema, voteSchema } from "../../bft/schema.js";
import type { VoteFault } from "../../bft/tally.js";
import { call } from "../../service/call.js";
import type { Directory } from "../../service/directory.js";
import type { Instance, Plan } from "../../topology.js";
import { type KeyRings, objectionTo, priced } from "./order-rules.js";
import type { OrderStore } from "./order-store.js";

const PEER_TIMEOUT_MS = 700;

export interface CoordinatorParts {
  plan: Plan;
  nodes: readonly Instance[];
  signer: Signer;
  keys: KeyRings;
  ballot: Ballot;
  store: OrderStore;
  directory: Directory;
  log: FastifyBaseLogger;
  onFault: (node: string, fault: VoteFault, operation: Pick<Proposal, "kind" | "opId">) => void;
  /** This node does not vote on a proposal that it was shown. */
  onRefusal: (refusal: Refusal, proposal: Proposal) => void;
}

export type Placed = { receipts: Receipt[] } | { refused: string };
export type Paid = { status: "paid" } | { status: "refused"; reason: string };

/** Leads operations through the cluster; any node can, for any operation. */
export class Coordinator {
  constructor(private readonly parts: CoordinatorParts) {}

  async createOrder(opId: string, payload: OrderPayload): Promise<Placed> {
    const { cluster } = this.parts.plan;
    const { certificate, missing } = await this.agree("CREATE_ORDER", opId, payload, cluster.quorum);
    if (!certificate)
      return { refused: `${cluster.quorum} of ${cluster.nodes} nodes must agree: ${missing.join("; ")}` };
    const needed = toleratedLiars(cluster.nodes, cluster.quorum) + 1;
    const receipts = await this.#commit(certificate, needed);
    if (receipts.length < needed) return { refused: "agreed, but not confirmed to be stored; ask again" };
    return { receipts };
  }

  async pay(orderId: string, amountCents: number): Promise<Paid> {
    const { cluster } = this.parts.plan;
    const payload = { orderId, amountCents };
    const { certificate, missing } = await this.agree("PROCESS_PAYMENT", orderId, payload, cluster.nodes);
    const reason = certificate
      ? await this.#charge(certificate)
      : `payments need all ${cluster.nodes} nodes: ${missing.join("; ")}`;
    if (reason !== "") {
      await this.parts.store.refusePayment(orderId, reason.slice(0, 500)).catch(() => {});
      return { status: "refused", reason };
    }
    await this.#commit(certificate!, 1);
    return { status: "paid" };
  }

  agree(kind: Proposal["kind"], opId: string, payload: unknown, needed: number): Promise<RoundResult> {
    const { nodes, signer, keys, onFault, log } = this.parts;
    return runRound({
      kind,
      opId,
      payload,
      needed,
      signer,
      keys: keys.nodes,
      now: Date.now(),
      nodes: nodes.map((node) => node.name),
      ask: (node, proposal) => this.ask(node, proposal),
      onFault: (node, fault) => {
        onFault(node, fault, { kind, opId });
        log.warn({ node, fault, opId, kind }, "an invalid vote was refused");
      },
    });
  }

  async ask(node: string, proposal: Proposal): Promise<PeerAnswer> {
    if (node === this.parts.signer.node) {
      const judged = await this.judge(proposal);
      return typeof judged === "string" ? { refused: judged } : { vote: judged };
    }
    const { status, body } = await call(`${this.#url(node)}/bft/votes`, {
      method: "POST",
      body: proposal,
      timeoutMs: PEER_TIMEOUT_MS,
    });
    if (status === 200) {
      const vote = voteSchema.safeParse(body);
      return vote.success ? { vote: vote.data } : { refused: "its answer is no vote" };
    }
    const refusal = z.object({ error: z.string().max(200) }).safeParse(body);
    return { refused: refusal.success ? refusal.data.error : `status ${status}` };
  }

  /** This node's own vote. */
  async judge(proposal: Proposal): Promise<Vote | Refusal> {
    const { ballot, keys, store, log, onRefusal } = this.parts;
    const judged = await ballot.judge(proposal, Date.now(), (p) => objectionTo(p, keys.client, store));
    if (typeof judged === "string") {
      log.warn({ refusal: judged, proposer: proposal.proposer }, "a proposal was refused");
      onRefusal(judged, proposal);
    }
    return judged;
  }

  /** Carries out an operation with a valid certificate. Returns this node's receipt. */
  async apply(certificate: Certificate): Promise<Receipt> {
    const { plan, keys, signer, store } = this.parts;
    const { kind, opId, digest } = certificate;
    const needed = kind === "PROCESS_PAYMENT" ? plan.cluster.nodes : plan.cluster.quorum;
    const flaw = certificateFlaw(certificate, keys.nodes, needed);
    if (flaw) throw new BadCertificate(flaw);
    if (kind === "CREATE_ORDER")
      await store.applyOrder(
        certificate,
        signer.node,
        priced(opId, orderPayloadSchema.parse(certificate.payload)),
      );
    else if (kind === "PROCESS_PAYMENT") await store.applyPayment(certificate, signer.node, opId);
    else throw new BadCertificate("nothing to carry out");
    return signReceipt({ kind, opId, digest, node: signer.node }, signer);
  }

  /** Sends the certificate to every node; resolves at the first `needed` valid receipts, or when all have answered. */
  #commit(certificate: Certificate, needed: number): Promise<Receipt[]> {
    const { nodes, signer, keys, log } = this.parts;
    const receipts: Receipt[] = [];
    let open = nodes.length;
    return new Promise((resolve) => {
      const settle = (receipt?: Receipt): void => {
        open--;
        if (receipt) receipts.push(receipt);
        if (receipts.length >= needed || open === 0) resolve([...receipts]);
      };
      for (const { name } of nodes) {
        const one = name === signer.node ? this.apply(certificate) : this.#sendCommit(name, certificate);
        one.then(
          (receipt) =>
            settle(
              receipt.node === name &&
                receipt.digest === certificate.digest &&
                keys.nodes.verifiesReceipt(receipt)
                ? receipt
                : undefined,
            ),
          (error: Error) => {
            log.warn({ node: name, reason: error.message }, "a commit was not confirmed");
            settle();
          },
        );
      }
    });
  }

  async #sendCommit(node: string, certificate: Certificate): Promise<Receipt> {
    const { status, body } = await call(`${this.#url(node)}/bft/commits`, {
      method: "POST",
      body: certificate,
      timeoutMs: 3 * PEER_TIMEOUT_MS,
    });
    if (status !== 200) throw new Error(`status ${status}`);
    return receiptSchema.parse(body);
  }

  /** Empty: the payment service took the money. Safe to repeat: it takes it once per certificate. */
  async #charge(certificate: Certificate): Promise<string> {
    for (let tries = 0; tries < 2; tries++) {
      const place = this.parts.directory.inTurn("payment")[0];
      if (!place) return "the payment service is not there";
      try {
        const { status } = await call(`http://${place.address}:${place.port}/payments`, {
          method: "POST",
          body: certificate,
          timeoutMs: 1500,
        });
        return status === 200 || status === 201 ? "" : `the payment service answered ${status}`;
      } catch {
        await this.parts.directory.refresh();
      }
    }
    return "the payment service did not answer";
  }

  #url(node: string): string {
    const place = this.parts.nodes.find((candidate) => candidate.name === node)!;
    return `http://${place.address}:${place.ports[0]}`;
  }
}

export class BadCertificate extends Error {
  override readonly name = "BadCertificate";
}

/** The order's only valid digest. */
export function orderDigest(opId: string, payload: OrderPayload): string {
  return digestOf("CREATE_ORDER", opId, payload);
}
