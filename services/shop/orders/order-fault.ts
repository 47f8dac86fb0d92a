import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  digestOf,
  type Proposal,
  type Signer,
  signProposal,
  signVote,
  type Vote,
} from "../../bft/message.js";
import { STATE_DIR } from "../../host/state.js";

export const FAULTS = ["ok", "silent", "lying"] as const;
export type Fault = (typeof FAULTS)[number];

const POLL_MS = 200;

export function faultFile(node: string): string {
  return `${STATE_DIR}/faults/${node}`;
}

/** The fault this node was told to have, read from a file that only root can write. */
export class FaultSwitch {
  current: Fault = "ok";
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly node: string) {}

  start(): void {
    const look = async (): Promise<void> => {
      const text = await readFile(faultFile(this.node), "utf8").catch(() => "ok");
      this.current = FAULTS.find((fault) => fault === text.trim()) ?? "ok";
    };
    this.#timer = setInterval(() => void look(), POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** The lies of a lying voter, each in turn; every one must be detected with its reason. */
export class Liar {
  #turn = 0;
  #last: Vote | undefined;

  constructor(
    private readonly signer: Signer,
    private readonly peers: readonly string[],
  ) {}

  vote(proposal: Proposal): Vote {
    const honest = {
      kind: proposal.kind,
      opId: proposal.opId,
      digest: proposal.digest,
      nonce: proposal.nonce,
      node: this.signer.node,
      accept: true,
      reason: "",
    };
    const replayed = this.#last;
    this.#last = signVote(honest, this.signer);
    const other = digestOf(proposal.kind, proposal.opId, { altered: true });
    switch (this.#turn++ % 4) {
      case 0:
        return signVote({ ...honest, digest: other }, this.signer);
      case 1:
        return { ...this.#last, accept: !honest.accept };
      case 2:
        return replayed ?? signVote({ ...honest, digest: other }, this.signer);
      default:
        return signVote({ ...honest, node: this.peers[0] ?? "order-node-99" }, this.signer);
    }
  }

  /** A second, different proposal for the same operation, and one from a node that does not exist. */
  contradictions(proposal: Proposal): Proposal[] {
    const payload = { ...(proposal.payload as object), altered: true };
    const fields = { ...proposal, payload, digest: digestOf(proposal.kind, proposal.opId, payload) };
    return [
      signProposal({ ...fields, nonce: randomUUID() }, this.signer),
      signProposal({ ...fields, nonce: randomUUID(), proposer: "order-node-99" }, this.signer),
      proposal,
    ];
  }
}
