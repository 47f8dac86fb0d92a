import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";

export const KINDS = ["CREATE_ORDER", "PROCESS_PAYMENT", "CHECK"] as const;
export type Kind = (typeof KINDS)[number];

/** A proposal for the cluster. `digest` is over kind, operation and payload. */
export interface Proposal {
  kind: Kind;
  opId: string;
  payload: unknown;
  digest: string;
  proposer: string;
  /** Fresh for every proposal; votes repeat it, so an old vote fits no new round. */
  nonce: string;
  /** Milliseconds since the epoch. */
  at: number;
  signature: string;
}

export interface Vote {
  kind: Kind;
  opId: string;
  digest: string;
  nonce: string;
  node: string;
  accept: boolean;
  reason: string;
  signature: string;
}

/** A node's statement that the operation took effect. */
export interface Receipt {
  kind: Kind;
  opId: string;
  digest: string;
  node: string;
  signature: string;
}

/** Enough accepting votes for one digest to prove agreement to every holder of the public keys. */
export interface Certificate {
  kind: Kind;
  opId: string;
  digest: string;
  payload: unknown;
  votes: Vote[];
}

export interface Signer {
  node: string;
  privateKey: KeyObject;
}

/** `pem` is PKCS#8. */
export function signerFrom(node: string, pem: string): Signer {
  return { node, privateKey: createPrivateKey(pem) };
}

export function digestOf(kind: Kind, opId: string, payload: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify([kind, opId, sorted(payload)]))
    .digest("hex");
}

export function signProposal(fields: Omit<Proposal, "signature">, signer: Signer): Proposal {
  return { ...fields, signature: signText(proposalText(fields), signer) };
}

export function signVote(fields: Omit<Vote, "signature">, signer: Signer): Vote {
  return { ...fields, signature: signText(voteText(fields), signer) };
}

export function signReceipt(fields: Omit<Receipt, "signature">, signer: Signer): Receipt {
  return { ...fields, signature: signText(receiptText(fields), signer) };
}

/** The part of an order that the gateway signs: no node can change it afterwards. */
export interface OrderRequest {
  opId: string;
  customer: string;
  items: { productId: number; quantity: number }[];
}

export function signOrder(request: OrderRequest, signer: Signer): string {
  return signText(orderText(request), signer);
}

/** The public keys of one role by name: base64 of SPKI DER. Signatures of other roles fail. */
export class KeyRing {
  readonly #keys = new Map<string, KeyObject>();

  constructor(publicKeys: Record<string, string>) {
    for (const [node, key] of Object.entries(publicKeys))
      this.#keys.set(node, createPublicKey({ key: Buffer.from(key, "base64"), format: "der", type: "spki" }));
  }

  get nodes(): string[] {
    return [...this.#keys.keys()];
  }

  knows(node: string): boolean {
    return this.#keys.has(node);
  }

  verifiesProposal(proposal: Proposal): boolean {
    return this.#verifies(proposal.proposer, proposalText(proposal), proposal.signature);
  }

  verifiesVote(vote: Vote): boolean {
    return this.#verifies(vote.node, voteText(vote), vote.signature);
  }

  verifiesReceipt(receipt: Receipt): boolean {
    return this.#verifies(receipt.node, receiptText(receipt), receipt.signature);
  }

  verifiesOrder(request: OrderRequest, client: string, signature: string): boolean {
    return this.#verifies(client, orderText(request), signature);
  }

  #verifies(node: string, text: string, signature: string): boolean {
    const key = this.#keys.get(node);
    return key !== undefined && verify(null, Buffer.from(text), key, Buffer.from(signature, "base64"));
  }
}

export function makeKeyPair(): { privateKey: string; publicKey: string } {
  const pair = generateKeyPairSync("ed25519");
  return {
    privateKey: pair.privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    publicKey: pair.publicKey.export({ format: "der", type: "spki" }).toString("base64"),
  };
}

function signText(text: string, signer: Signer): string {
  return sign(null, Buffer.from(text), signer.privateKey).toString("base64");
}

// The first word prevents reuse of a signature for another kind of message.
function proposalText(p: Omit<Proposal, "signature">): string {
  return JSON.stringify(["proposal", p.kind, p.opId, p.digest, p.proposer, p.nonce, p.at]);
}

function orderText(o: OrderRequest): string {
  return JSON.stringify([
    "order",
    o.opId,
    o.customer,
    o.items.map((item) => [item.productId, item.quantity]),
  ]);
}

function voteText(v: Omit<Vote, "signature">): string {
  return JSON.stringify(["vote", v.kind, v.opId, v.digest, v.nonce, v.node, v.accept, v.reason]);
}

function receiptText(r: Omit<Receipt, "signature">): string {
  return JSON.stringify(["receipt", r.kind, r.opId, r.digest, r.node]);
}

/** The same value, with its keys in a fixed order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([key, inner]) => [key, sorted(inner)]);
}
