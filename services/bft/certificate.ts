import { counted } from "../plural.js";
import { type Certificate, digestOf, type KeyRing, type Receipt } from "./message.js";

/** Why the certificate proves nothing; empty when it proves that `needed` different nodes accepted. */
export function certificateFlaw(certificate: Certificate, keys: KeyRing, needed: number): string {
  const { kind, opId, digest } = certificate;
  if (digestOf(kind, opId, certificate.payload) !== digest) return "the digest is not the payload's";
  const nodes = new Set<string>();
  for (const vote of certificate.votes) {
    if (!vote.accept || vote.kind !== kind || vote.opId !== opId || vote.digest !== digest) continue;
    if (keys.verifiesVote(vote)) nodes.add(vote.node);
  }
  return nodes.size >= needed ? "" : `${counted(nodes.size, "valid vote")}, ${needed} are needed`;
}

/** How many different nodes confirm that exactly this operation took effect. */
export function receiptCount(receipts: readonly Receipt[], digest: string, keys: KeyRing): number {
  const nodes = new Set<string>();
  for (const receipt of receipts)
    if (receipt.digest === digest && receipt.kind === "CREATE_ORDER" && keys.verifiesReceipt(receipt))
      nodes.add(receipt.node);
  return nodes.size;
}
