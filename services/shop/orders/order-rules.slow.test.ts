import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Ballot } from "../../bft/ballot.js";
import { certificateFlaw, receiptCount } from "../../bft/certificate.js";
import {
  digestOf,
  makeKeyPair,
  type Signer,
  signerFrom,
  signOrder,
  signProposal,
  signReceipt,
  signVote,
} from "../../bft/message.js";
import { Tally } from "../../bft/tally.js";
import { type Plan, planLab, readLab } from "../../topology.js";
import { CLIENT, keyRings, normalise, objectionTo, orderFlaw, priced } from "./order-rules.js";

/** A lab of three nodes in which every instance has a key, known to the plan. */
function labOfSigners(): { plan: Plan; nodes: Signer[]; others: Signer[] } {
  const plan = planLab(readLab(), { profile: "flat", policies: false, nodes: 3 });
  const signers = plan.instances.map(({ name }) => {
    const { privateKey, publicKey } = makeKeyPair();
    plan.publicKeys[name] = publicKey;
    return signerFrom(name, privateKey);
  });
  const isNode = ({ node }: Signer) => node.startsWith("order-node-");
  return { plan, nodes: signers.filter(isNode), others: signers.filter((signer) => !isNode(signer)) };
}

test("only an order node votes, proposes or confirms, whatever key another service has", async () => {
  const { plan, nodes, others } = labOfSigners();
  const keys = keyRings(plan);
  assert.deepEqual(keys.nodes.nodes, ["order-node-1", "order-node-2", "order-node-3"]);
  assert.ok(others.some(({ node }) => node === CLIENT) && others.length > 5);
  const opId = randomUUID();
  const payload = { orderId: opId, amountCents: 100 };
  const kind = "PROCESS_PAYMENT" as const;
  const digest = digestOf(kind, opId, payload);
  const proposalOf = (signer: Signer) =>
    signProposal({ kind, opId, payload, digest, proposer: signer.node, nonce: randomUUID(), at: 0 }, signer);
  const proposal = proposalOf(nodes[0]!);
  const voteOf = (signer: Signer, node = signer.node) =>
    signVote({ kind, opId, digest, nonce: proposal.nonce, node, accept: true, reason: "" }, signer);
  const certificateOf = (voters: readonly Signer[]) => ({
    kind,
    opId,
    digest,
    payload,
    votes: voters.map((voter) => voteOf(voter)),
  });
  assert.equal(certificateFlaw(certificateOf(nodes), keys.nodes, 3), "");
  const orderOf = (signer: Signer) =>
    signReceipt({ kind: "CREATE_ORDER", opId, digest, node: signer.node }, signer);
  for (const other of others) {
    const forged = certificateOf([nodes[0]!, nodes[1]!, other]);
    assert.equal(certificateFlaw(forged, keys.nodes, 3), "2 valid votes, 3 are needed", other.node);
    const named = { ...forged, votes: [...forged.votes.slice(0, 2), voteOf(other, "order-node-3")] };
    assert.equal(certificateFlaw(named, keys.nodes, 3), "2 valid votes, 3 are needed", other.node);
    assert.equal(new Tally(proposal, keys.nodes).add(voteOf(other), other.node), "unknown-signer");
    const ballot = new Ballot(keys.nodes, nodes[0]!);
    assert.equal(await ballot.judge(proposalOf(other), 0, async () => ""), "unknown-signer");
    assert.equal(receiptCount([orderOf(nodes[0]!), orderOf(other)], digest, keys.nodes), 1);
  }
});

test("only the gateway signs orders", async () => {
  const { plan, nodes, others } = labOfSigners();
  const keys = keyRings(plan);
  const opId = randomUUID();
  const order = { customer: "a@b.example", items: [{ productId: 1, quantity: 1 }] };
  const objection = (signer: Signer) => {
    const payload = { ...order, clientSignature: signOrder({ opId, ...order }, signer) };
    const proposal = {
      ...{ kind: "CREATE_ORDER" as const, opId, payload, digest: digestOf("CREATE_ORDER", opId, payload) },
      ...{ proposer: nodes[0]!.node, nonce: randomUUID(), at: 0 },
    };
    return objectionTo(signProposal(proposal, nodes[0]!), keys.client, { order: async () => undefined });
  };
  for (const signer of [...nodes, ...others])
    assert.equal(await objection(signer), signer.node === CLIENT ? "" : "not signed by the shop's front");
});

test("equal orders become equal, whatever the order of their lines", () => {
  const items = [
    { productId: 2, quantity: 1 },
    { productId: 1, quantity: 2 },
    { productId: 2, quantity: 3 },
  ];
  assert.deepEqual(normalise({ customer: "a@b.example", items }).items, [
    { productId: 1, quantity: 2 },
    { productId: 2, quantity: 4 },
  ]);
});

test("unknown products and too many of one are named", () => {
  const flaw = (productId: number, quantity: number) =>
    orderFlaw({ customer: "a@b.example", items: [{ productId, quantity }] });
  assert.equal(flaw(1, 1), "");
  assert.match(flaw(99, 1), /no product 99/);
  assert.match(flaw(1, 101), /at most 100/);
});

test("prices come from the catalogue", () => {
  const items = [{ productId: 1, quantity: 2 }];
  const order = priced("id", { customer: "a@b.example", items, clientSignature: "" });
  assert.equal(order.totalCents, 2580);
});
