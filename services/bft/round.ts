import { randomUUID } from "node:crypto";
import type { Certificate } from "./message.js";
import {
  digestOf,
  type KeyRing,
  type Kind,
  type Proposal,
  type Signer,
  signProposal,
  type Vote,
} from "./message.js";
import { Tally, type VoteFault } from "./tally.js";

/** An answer of a peer that is no vote. */
export type PeerAnswer = { vote: Vote } | { refused: string };

export interface RoundResult {
  certificate?: Certificate;
  /** Why it failed, one text per node. */
  missing: string[];
}

export interface RoundOptions {
  kind: Kind;
  opId: string;
  payload: unknown;
  needed: number;
  nodes: readonly string[];
  signer: Signer;
  keys: KeyRing;
  now: number;
  /** Rejects when the node did not answer in time. */
  ask: (node: string, proposal: Proposal) => Promise<PeerAnswer>;
  onFault?: (node: string, fault: VoteFault) => void;
}

/** Proposes to every node at once; resolves as soon as enough have accepted or too few still can. */
export function runRound(options: RoundOptions): Promise<RoundResult> {
  const { kind, opId, payload, nodes, signer } = options;
  const proposal = signProposal(
    {
      kind,
      opId,
      payload,
      digest: digestOf(kind, opId, payload),
      proposer: signer.node,
      nonce: randomUUID(),
      at: options.now,
    },
    signer,
  );
  const tally = new Tally(proposal, options.keys);
  const missing: string[] = [];
  return new Promise((resolve) => {
    const settle = (problem?: string): void => {
      if (problem) missing.push(problem);
      const certificate = tally.certificate(options.needed);
      if (certificate) resolve({ certificate, missing });
      else if (missing.length > nodes.length - options.needed) resolve({ missing });
    };
    for (const node of nodes)
      options.ask(node, proposal).then(
        (answer) => {
          if ("refused" in answer) return settle(`${node} refused: ${answer.refused}`);
          const fault = tally.add(answer.vote, node);
          if (fault) {
            options.onFault?.(node, fault);
            return settle(`${node} gave no valid vote: ${fault}`);
          }
          return settle(answer.vote.accept ? undefined : `${node} voted no: ${answer.vote.reason}`);
        },
        () => settle(`${node} did not answer`),
      );
  });
}
