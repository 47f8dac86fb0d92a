import type { Refusal } from "../bft/ballot.js";
import type { Certificate, Proposal } from "../bft/message.js";
import type { VoteFault } from "../bft/tally.js";
import type { LabEvent } from "./event.js";

type Subject = Pick<Proposal, "kind" | "opId">;

/** An invalid vote from the node that was asked. */
export function refusedVote(node: string, fault: VoteFault, { kind, opId }: Subject): LabEvent {
  return fault === "equivocation"
    ? equivocation(node, "vote", { kind, opId })
    : {
        event: "vote-refused",
        severity: "warning",
        text: `${node} gave no valid vote: ${fault}`,
        fields: { node, reason: fault, kind },
        details: { operation: opId },
      };
}

/** A proposal that gets no vote. The proposer's name is unverified. */
export function refusedProposal(refusal: Refusal, { proposer, kind, opId }: Proposal): LabEvent {
  return refusal === "equivocation"
    ? equivocation(proposer, "proposal", { kind, opId })
    : {
        event: "proposal-refused",
        severity: "warning",
        text: `a proposal of ${proposer} was refused: ${refusal}`,
        fields: { node: proposer, reason: refusal, kind },
        details: { operation: opId },
      };
}

function equivocation(node: string, subject: "vote" | "proposal", { kind, opId }: Subject): LabEvent {
  return {
    event: "equivocation",
    severity: "warning",
    text: `${node} signed two different ${subject}s for one operation`,
    fields: { node, subject, kind },
    details: { operation: opId },
  };
}

/** `client`: the owner of the source address. */
export function refusedCertificate(
  flaw: string,
  { opId }: Certificate,
  client: string,
  address: string,
): LabEvent {
  return {
    event: "certificate-refused",
    severity: "warning",
    text: `${client} showed a certificate that proves nothing: ${flaw}`,
    fields: { reason: flaw, client, client_address: address },
    details: { operation: opId },
  };
}

export function distrustedAnswer(node: string, opId: string): LabEvent {
  return {
    event: "answer-distrusted",
    severity: "warning",
    text: `${node} says an order stands and cannot show enough receipts for it`,
    fields: { node },
    details: { operation: opId },
  };
}
