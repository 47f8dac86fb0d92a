import { z } from "zod";
import { receiptCount } from "../../bft/certificate.js";
import { type KeyRing, type Signer, signOrder } from "../../bft/message.js";
import { toleratedLiars } from "../../bft/quorum.js";
import { receiptSchema } from "../../bft/schema.js";
import { type Answer, call } from "../../service/call.js";
import type { Instance, Plan } from "../../topology.js";
import { orderDigest } from "./order-coordinator.js";
import { normalise, type OrderBody } from "./order-rules.js";

const placedSchema = z.object({ receipts: z.array(receiptSchema).max(16) });
const paymentSchema = z.object({ payment: z.object({ status: z.string(), reason: z.string().nullable() }) });
const NOBODY: Answer = { status: 503, body: { error: "no order node answers" } };
const NODE_TIMEOUT_MS = 5000;
const SUSPICION_MS = 10_000;

/** The gateway's side of the cluster: signs orders, and accepts an answer only with enough receipts. */
export class OrderClient {
  readonly #suspect = new Map<string, number>();
  readonly distrusted = new Map<string, number>();
  #turn = 0;

  /** So many equal answers that at least one is from an honest node. */
  readonly #honest: number;

  constructor(
    plan: Plan,
    private readonly nodes: readonly Instance[],
    private readonly keys: KeyRing,
    private readonly signer: Signer,
    private readonly onDistrust: (node: string, opId: string) => void = () => {},
  ) {
    this.#honest = toleratedLiars(plan.cluster.nodes, plan.cluster.quorum) + 1;
  }

  /** Safe to try at node after node: the operation's id makes it one order. */
  async place(opId: string, body: OrderBody): Promise<Answer> {
    const order = normalise(body);
    const clientSignature = signOrder({ opId, ...order }, this.signer);
    const digest = orderDigest(opId, { ...order, clientSignature });
    const refusals: Answer[] = [];
    for (const node of this.#inTurn()) {
      const answer = await this.#ask(node, "/orders", {
        method: "POST",
        body: order,
        headers: { "idempotency-key": opId, "x-order-signature": clientSignature },
      });
      if (!answer) continue;
      if (answer.status < 300) {
        const placed = placedSchema.safeParse(answer.body);
        if (placed.success && receiptCount(placed.data.receipts, digest, this.keys) >= this.#honest)
          return answer;
        this.#distrust(node, opId);
        continue;
      }
      // one node alone may lie about a refusal as well
      refusals.push(answer);
      const same = refusals.filter((refusal) => refusal.status === answer.status);
      if (same.length >= this.#honest) return answer;
    }
    return refusals.at(-1) ?? NOBODY;
  }

  /** The answer of one node: for lists, which change all the time. */
  async list(path: string): Promise<Answer> {
    for (const node of this.#inTurn()) {
      const answer = await this.#ask(node, path);
      if (answer) return answer;
    }
    return NOBODY;
  }

  /** The answer that enough nodes share for one of them to be honest. */
  async read(id: string): Promise<Answer> {
    let heard = 0;
    // an order may change between two answers
    for (let round = 0; round < 3; round++) {
      const said = new Map<string, number>();
      for (const node of this.#inTurn()) {
        const answer = await this.#ask(node, `/orders/${id}`);
        if (!answer) continue;
        heard++;
        const text = JSON.stringify([answer.status, answer.body]);
        said.set(text, (said.get(text) ?? 0) + 1);
        if (said.get(text)! >= this.#honest) return answer;
      }
    }
    return heard === 0 ? NOBODY : { status: 503, body: { error: "the order nodes do not agree" } };
  }

  /** Safe to repeat: the order's id makes it one payment. The result is read back, not trusted. */
  async payment(id: string): Promise<Answer> {
    for (const node of this.#inTurn()) {
      const answer = await this.#ask(node, `/orders/${id}/payment`, { method: "POST" });
      if (!answer) continue;
      const order = await this.read(id);
      const read = paymentSchema.safeParse(order.body);
      if (!read.success) return order;
      const { payment } = read.data;
      return { status: payment.status === "paid" ? 200 : 503, body: { id, payment } };
    }
    return NOBODY;
  }

  async #ask(node: Instance, path: string, options = {}): Promise<Answer | undefined> {
    try {
      const timeoutMs = NODE_TIMEOUT_MS;
      return await call(`http://${node.address}:${node.ports[0]}${path}`, { timeoutMs, ...options });
    } catch {
      this.#suspect.set(node.name, performance.now());
      return undefined;
    }
  }

  #distrust(node: Instance, opId: string): void {
    this.onDistrust(node.name, opId);
    this.#suspect.set(node.name, performance.now());
    this.distrusted.set(node.name, (this.distrusted.get(node.name) ?? 0) + 1);
  }

  /** Nodes that lately failed come last. */
  #inTurn(): Instance[] {
    const turn = this.#turn++ % this.nodes.length;
    const rotated = [...this.nodes.slice(turn), ...this.nodes.slice(0, turn)];
    const now = performance.now();
    const suspect = (node: Instance): boolean =>
      now - (this.#suspect.get(node.name) ?? Number.NEGATIVE_INFINITY) < SUSPICION_MS;
    return [...rotated.filter((node) => !suspect(node)), ...rotated.filter(suspect)];
  }
}
