import { z } from "zod";
import { KINDS } from "./message.js";

const text = z.string().max(256);
const kind = z.enum(KINDS);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const signature = z.string().max(128);

export const proposalSchema = z.strictObject({
  kind,
  opId: z.uuid(),
  payload: z.record(z.string(), z.unknown()),
  digest,
  proposer: text,
  nonce: z.uuid(),
  at: z.number(),
  signature,
});

export const voteSchema = z.strictObject({
  kind,
  opId: z.uuid(),
  digest,
  nonce: z.uuid(),
  node: text,
  accept: z.boolean(),
  reason: text,
  signature,
});

export const receiptSchema = z.strictObject({ kind, opId: z.uuid(), digest, node: text, signature });

export const certificateSchema = z.strictObject({
  kind,
  opId: z.uuid(),
  digest,
  payload: z.record(z.string(), z.unknown()),
  votes: z.array(voteSchema).max(16),
});

const item = z.strictObject({ productId: z.int().min(1).max(1e9), quantity: z.int().min(1).max(100) });

export const orderPayloadSchema = z.strictObject({
  customer: z.email().max(200),
  items: z.array(item).min(1).max(20),
  clientSignature: signature,
});

export const paymentPayloadSchema = z.strictObject({ orderId: z.uuid(), amountCents: z.int().min(1) });

export type OrderPayload = z.infer<typeof orderPayloadSchema>;
