import type { Certificate, KeyRing, Proposal, Vote } from "./message.js";

export type VoteFault =
  | "unknown-signer"
  | "bad-signature"
  | "replay"
  | "wrong-digest"
  | "equivocation"
  | "wrong-sender";

/** Counts the votes of one round. An invalid answer is refused with its reason and never counted. */
export class Tally {
  readonly #votes = new Map<string, Vote>();
  readonly faults = new Map<string, VoteFault>();

  constructor(
    private readonly proposal: Proposal,
    private readonly keys: KeyRing,
  ) {}

  /** `from` is the node that was asked. */
  add(vote: Vote, from: string): VoteFault | undefined {
    const fault = this.#faultOf(vote, from);
    if (fault) {
      this.faults.set(from, fault);
      if (fault === "equivocation") this.#votes.delete(from);
      return fault;
    }
    this.#votes.set(vote.node, vote);
    return undefined;
  }

  get accepting(): Vote[] {
    return [...this.#votes.values()].filter((vote) => vote.accept);
  }

  get rejecting(): Vote[] {
    return [...this.#votes.values()].filter((vote) => !vote.accept);
  }

  certificate(needed: number): Certificate | undefined {
    const votes = this.accepting;
    if (votes.length < needed) return undefined;
    const { kind, opId, digest, payload } = this.proposal;
    return { kind, opId, digest, payload, votes };
  }

  #faultOf(vote: Vote, from: string): VoteFault | undefined {
    if (!this.keys.knows(vote.node)) return "unknown-signer";
    if (!this.keys.verifiesVote(vote)) return "bad-signature";
    if (vote.node !== from) return "wrong-sender";
    if (vote.nonce !== this.proposal.nonce) return "replay";
    const before = this.#votes.get(vote.node);
    if (before && (before.digest !== vote.digest || before.accept !== vote.accept)) return "equivocation";
    const { kind, opId, digest } = this.proposal;
    if (vote.kind !== kind || vote.opId !== opId || vote.digest !== digest) return "wrong-digest";
    return undefined;
  }
}
