/** Faulty nodes that `nodes` with `quorum` tolerate: two quorums must share an honest node, and the honest nodes must reach one. */
import { counted } from "../plural.js";

export function toleratedLiars(nodes: number, quorum: number): number {
  let liars = 0;
  while (2 * quorum - nodes > liars + 1 && nodes - (liars + 1) >= quorum) liars++;
  return liars;
}

export function describeCluster(nodes: number, quorum: number): string {
  const liars = toleratedLiars(nodes, quorum);
  const silent = nodes - quorum;
  const safety =
    liars === 0
      ? "it tolerates no liar: one lying node can make two quorums agree on different orders"
      : `it tolerates ${counted(liars, "lying node")}`;
  return `${nodes} nodes, quorum ${quorum}: orders go on with ${counted(silent, "dead or silent node")}; ${safety}; payments need all ${nodes}`;
}
