import { KeyRing, type Proposal } from "../../bft/message.js";
import { type OrderPayload, orderPayloadSchema, paymentPayloadSchema } from "../../bft/schema.js";
import { instancesOf, type Plan } from "../../topology.js";
import { productById } from "../products/catalogue.js";
import type { Order, OrderStore, PricedItem } from "./order-store.js";

/** The signer of orders. */
export const CLIENT = "api-gateway";

/** One key ring per role, so that a key is valid only for its role. */
export interface KeyRings {
  /** Proposals, votes and receipts. */
  readonly nodes: KeyRing;
  /** Orders. */
  readonly client: KeyRing;
}

export function keyRings(plan: Plan): KeyRings {
  const of = (names: readonly string[]): KeyRing =>
    new KeyRing(Object.fromEntries(names.map((name) => [name, plan.publicKeys[name]!])));
  return { nodes: of(instancesOf(plan, plan.cluster.service).map(({ name }) => name)), client: of([CLIENT]) };
}

export interface OrderBody {
  customer: string;
  items: { productId: number; quantity: number }[];
}

/** One line per product, in order of id, so that equal orders have equal digests. */
export function normalise(body: OrderBody): OrderBody {
  const quantities = new Map<number, number>();
  for (const item of body.items)
    quantities.set(item.productId, (quantities.get(item.productId) ?? 0) + item.quantity);
  const items = [...quantities].sort(([a], [b]) => a - b);
  return { customer: body.customer, items: items.map(([productId, quantity]) => ({ productId, quantity })) };
}

/** The problem of a well-formed order; empty: none. */
export function orderFlaw(body: OrderBody): string {
  for (const item of body.items) {
    if (!productById(item.productId)) return `no product ${item.productId}`;
    if (item.quantity > 100) return `at most 100 of one product, not ${item.quantity}`;
  }
  return "";
}

export function priced(opId: string, payload: OrderPayload): Omit<Order, "payment" | "createdAt"> {
  const items: PricedItem[] = payload.items.map((item) => ({
    ...item,
    priceCents: productById(item.productId)!.priceCents,
  }));
  const totalCents = items.reduce((sum, item) => sum + item.quantity * item.priceCents, 0);
  return { id: opId, customer: payload.customer, totalCents, items };
}

/** A node's own check of a proposal, which trusts nothing from the proposer. Empty: no objection. */
export async function objectionTo(
  proposal: Proposal,
  client: KeyRing,
  store: Pick<OrderStore, "order">,
): Promise<string> {
  if (proposal.kind === "CHECK") return "";
  if (proposal.kind === "CREATE_ORDER") {
    const payload = orderPayloadSchema.safeParse(proposal.payload);
    if (!payload.success) return "not an order";
    const { customer, items, clientSignature } = payload.data;
    if (!client.verifiesOrder({ opId: proposal.opId, customer, items }, CLIENT, clientSignature))
      return "not signed by the shop's front";
    return orderFlaw(payload.data);
  }
  const payload = paymentPayloadSchema.safeParse(proposal.payload);
  if (!payload.success || payload.data.orderId !== proposal.opId) return "not a payment";
  try {
    const order = await store.order(proposal.opId);
    if (!order) return "no such order";
    if (order.totalCents !== payload.data.amountCents) return "another amount";
    return "";
  } catch {
    return "the database is away";
  }
}
