import { digestOf, type KeyRing, type Proposal, type Signer, signVote, type Vote } from "./message.js";

export const REFUSALS = [
  "unknown-signer",
  "bad-signature",
  "stale",
  "replay",
  "wrong-digest",
  "equivocation",
  "conflict",
] as const;
export type Refusal = (typeof REFUSALS)[number];

const FRESH_MS = 30_000;
const MEMORY = 20_000;

/** One node's voting rules: at most one digest per operation, as long as the node remembers. */
export class Ballot {
  readonly #voted = new Map<string, { digest: string; proposer: string }>();
  readonly #nonces = new Map<string, number>();
  readonly refused = new Map<Refusal, number>();

  constructor(
    private readonly keys: KeyRing,
    private readonly signer: Signer,
  ) {}

  /** `objection` is the node's own check of the payload: empty when it has none. */
  async judge(
    proposal: Proposal,
    now: number,
    objection: (proposal: Proposal) => Promise<string>,
  ): Promise<Vote | Refusal> {
    const early = this.#refusal(proposal, now);
    if (early) return this.#refuse(early);
    const reason = await objection(proposal);
    const { kind, opId, digest, nonce } = proposal;
    if (reason === "") {
      // another proposal may have been accepted while the payload was checked
      const late = this.#contradiction(proposal);
      if (late) return this.#refuse(late);
      remember(this.#voted, `${kind} ${opId}`, { digest, proposer: proposal.proposer });
    }
    const accept = reason === "";
    return signVote({ kind, opId, digest, nonce, node: this.signer.node, accept, reason }, this.signer);
  }

  #refuse(refusal: Refusal): Refusal {
    this.refused.set(refusal, (this.refused.get(refusal) ?? 0) + 1);
    return refusal;
  }

  #refusal(proposal: Proposal, now: number): Refusal | undefined {
    if (!this.keys.knows(proposal.proposer)) return "unknown-signer";
    if (!this.keys.verifiesProposal(proposal)) return "bad-signature";
    if (Math.abs(now - proposal.at) > FRESH_MS) return "stale";
    const nonce = `${proposal.proposer} ${proposal.nonce}`;
    if (this.#nonces.has(nonce)) return "replay";
    remember(this.#nonces, nonce, proposal.at);
    if (digestOf(proposal.kind, proposal.opId, proposal.payload) !== proposal.digest) return "wrong-digest";
    return this.#contradiction(proposal);
  }

  #contradiction(proposal: Proposal): Refusal | undefined {
    const before = this.#voted.get(`${proposal.kind} ${proposal.opId}`);
    if (before === undefined || before.digest === proposal.digest) return undefined;
    return before.proposer === proposal.proposer ? "equivocation" : "conflict";
  }
}

function remember<T>(map: Map<string, T>, key: string, value: T): void {
  map.set(key, value);
  const oldest = map.keys().next().value;
  if (map.size > MEMORY && oldest !== undefined) map.delete(oldest);
}
