import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { Ballot } from "./ballot.js";
import { certificateFlaw, receiptCount } from "./certificate.js";
import {
  digestOf,
  KeyRing,
  makeKeyPair,
  type Proposal,
  signerFrom,
  signProposal,
  signReceipt,
  signVote,
  type Vote,
} from "./message.js";
import { describeCluster, toleratedLiars } from "./quorum.js";
import { runRound } from "./round.js";
import { Tally } from "./tally.js";

const NODES = ["n1", "n2", "n3", "n4"];
const NOW = 1_000_000;

function cluster() {
  const pairs = NODES.map((node) => ({ node, ...makeKeyPair() }));
  const keys = new KeyRing(Object.fromEntries(pairs.map((pair) => [pair.node, pair.publicKey])));
  const signers = pairs.map((pair) => signerFrom(pair.node, pair.privateKey));
  const ballots = signers.map((signer) => new Ballot(keys, signer));
  const stranger = signerFrom("n9", makeKeyPair().privateKey);
  return { keys, signers, ballots, stranger };
}

function proposalOf(
  signer: ReturnType<typeof signerFrom>,
  opId: string,
  payload: object,
  at = NOW,
): Proposal {
  const digest = digestOf("CREATE_ORDER", opId, payload);
  return signProposal(
    { kind: "CREATE_ORDER", opId, payload, digest, proposer: signer.node, nonce: randomUUID(), at },
    signer,
  );
}

const noObjection = async () => "";

test("a ballot accepts a fresh proposal and refuses every kind of bad one by name", async () => {
  const { signers, ballots, stranger } = cluster();
  const opId = randomUUID();
  const good = proposalOf(signers[0]!, opId, { a: 1 });
  const judge = (proposal: Proposal) => ballots[1]!.judge(proposal, NOW, noObjection);
  const vote = (await judge(good)) as Vote;
  assert.equal(vote.accept, true);
  assert.equal(await judge(good), "replay");
  assert.equal(await judge(proposalOf(stranger, opId, { a: 1 })), "unknown-signer");
  assert.equal(await judge({ ...proposalOf(signers[0]!, opId, { a: 1 }), at: NOW + 1 }), "bad-signature");
  assert.equal(await judge({ ...proposalOf(signers[0]!, opId, { a: 1 }), proposer: "n2" }), "bad-signature");
  assert.equal(await judge(proposalOf(signers[0]!, opId, { a: 1 }, NOW - 60_000)), "stale");
  assert.equal(
    await judge({ ...proposalOf(signers[0]!, opId, { a: 1 }), payload: { a: 2 } }),
    "wrong-digest",
  );
  assert.equal(await judge(proposalOf(signers[0]!, opId, { a: 2 })), "equivocation");
  assert.equal(await judge(proposalOf(signers[2]!, opId, { a: 2 })), "conflict");
  assert.equal(((await judge(proposalOf(signers[2]!, opId, { a: 1 }))) as Vote).accept, true);
  assert.equal(ballots[1]!.refused.get("bad-signature"), 2);
});

test("an objection is a vote against, and binds to nothing", async () => {
  const { signers, ballots } = cluster();
  const opId = randomUUID();
  const no = (await ballots[1]!.judge(
    proposalOf(signers[0]!, opId, { a: 1 }),
    NOW,
    async () => "no",
  )) as Vote;
  assert.deepEqual([no.accept, no.reason], [false, "no"]);
  const yes = await ballots[1]!.judge(proposalOf(signers[0]!, opId, { a: 2 }), NOW, noObjection);
  assert.equal((yes as Vote).accept, true);
});

test("two proposals checked at the same time cannot both be accepted", async () => {
  const { signers, ballots } = cluster();
  const opId = randomUUID();
  const results = await Promise.all(
    [{ a: 1 }, { a: 2 }].map((payload) =>
      ballots[1]!.judge(proposalOf(signers[0]!, opId, payload), NOW, noObjection),
    ),
  );
  assert.equal(results.filter((result) => typeof result !== "string").length, 1);
});

test("a tally refuses the lies of voters by name", () => {
  const { keys, signers, stranger } = cluster();
  const proposal = proposalOf(signers[0]!, randomUUID(), { a: 1 });
  const { kind, opId, digest, nonce } = proposal;
  const fields = { kind, opId, digest, nonce, node: "n2", accept: true, reason: "" };
  const tally = new Tally(proposal, keys);
  const other = digestOf(kind, opId, { a: 2 });
  assert.equal(tally.add(signVote({ ...fields, node: "n9" }, stranger), "n2"), "unknown-signer");
  assert.equal(tally.add(signVote(fields, stranger), "n2"), "bad-signature");
  assert.equal(tally.add(signVote({ ...fields, node: "n3" }, signers[2]!), "n2"), "wrong-sender");
  assert.equal(tally.add(signVote({ ...fields, nonce: randomUUID() }, signers[1]!), "n2"), "replay");
  assert.equal(tally.add(signVote({ ...fields, digest: other }, signers[1]!), "n2"), "wrong-digest");
  assert.equal(tally.accepting.length, 0);
  assert.equal(tally.add(signVote(fields, signers[1]!), "n2"), undefined);
  assert.equal(tally.add(signVote({ ...fields, accept: false }, signers[1]!), "n2"), "equivocation");
  assert.equal(tally.accepting.length, 0, "who says both has said nothing");
});

test("whatever one liar does, two orders never both find a quorum of three", async () => {
  // every way in which three honest nodes can be shown the first or the second proposal first
  for (let pattern = 0; pattern < 8; pattern++) {
    const { keys, signers, ballots } = cluster();
    const liar = signers[3]!;
    const opId = randomUUID();
    const proposals = [proposalOf(liar, opId, { a: 1 }), proposalOf(liar, opId, { a: 2 })];
    const tallies = proposals.map((proposal) => new Tally(proposal, keys));
    for (let node = 0; node < 3; node++) {
      const first = (pattern >> node) & 1;
      for (const which of [first, 1 - first]) {
        const vote = await ballots[node]!.judge(proposals[which]!, NOW, noObjection);
        if (typeof vote !== "string") tallies[which]!.add(vote, NODES[node]!);
      }
    }
    proposals.forEach(({ kind, digest, nonce }, which) => {
      tallies[which]!.add(
        signVote({ kind, opId, digest, nonce, node: "n4", accept: true, reason: "" }, liar),
        "n4",
      );
    });
    assert.ok(tallies.filter((tally) => tally.certificate(3)).length <= 1);
  }
});

test("a certificate needs enough different nodes, whatever is repeated or altered", async () => {
  const { keys, signers, ballots } = cluster();
  const proposal = proposalOf(signers[0]!, randomUUID(), { a: 1 });
  const tally = new Tally(proposal, keys);
  for (let node = 0; node < 3; node++)
    tally.add((await ballots[node]!.judge(proposal, NOW, noObjection)) as Vote, NODES[node]!);
  const certificate = tally.certificate(3)!;
  assert.equal(certificateFlaw(certificate, keys, 3), "");
  assert.notEqual(certificateFlaw(certificate, keys, 4), "");
  const votes = [certificate.votes[0]!, certificate.votes[0]!, certificate.votes[0]!];
  assert.notEqual(certificateFlaw({ ...certificate, votes }, keys, 3), "");
  assert.notEqual(certificateFlaw({ ...certificate, payload: { a: 2 } }, keys, 3), "");
  assert.notEqual(certificateFlaw({ ...certificate, kind: "PROCESS_PAYMENT" }, keys, 3), "");
});

test("forged and repeated receipts do not count", () => {
  const { keys, signers } = cluster();
  const opId = randomUUID();
  const digest = digestOf("CREATE_ORDER", opId, {});
  const receipt = (node: string, signer = signers[0]!) =>
    signReceipt({ kind: "CREATE_ORDER", opId, digest, node }, signer);
  assert.equal(receiptCount([receipt("n1"), receipt("n1"), receipt("n2"), receipt("n3")], digest, keys), 1);
  assert.equal(receiptCount([receipt("n1"), receipt("n2", signers[1])], digest, keys), 2);
  assert.equal(receiptCount([receipt("n1")], "0".repeat(64), keys), 0);
});

test("a round ends as soon as it is decided and says who is missing", async () => {
  const { keys, signers, ballots } = cluster();
  const round = (needed: number, deaf: string[]) =>
    runRound({
      kind: "CREATE_ORDER",
      opId: randomUUID(),
      payload: { a: 1 },
      needed,
      nodes: NODES,
      signer: signers[0]!,
      keys,
      now: NOW,
      ask: async (node, proposal) => {
        if (deaf.includes(node)) throw new Error("no answer");
        const judged = await ballots[NODES.indexOf(node)]!.judge(proposal, NOW, noObjection);
        return typeof judged === "string" ? { refused: judged } : { vote: judged };
      },
    });
  assert.ok((await round(3, ["n2"])).certificate);
  assert.deepEqual((await round(4, ["n2"])).missing, ["n2 did not answer"]);
  assert.equal((await round(3, ["n2", "n3"])).certificate, undefined);
});

test("what a cluster tolerates is computed and said", () => {
  assert.equal(toleratedLiars(4, 3), 1);
  assert.equal(toleratedLiars(3, 2), 0);
  assert.equal(toleratedLiars(7, 5), 2);
  assert.match(describeCluster(3, 2), /tolerates no liar/);
  assert.match(describeCluster(4, 3), /tolerates 1 lying node/);
});

test("the order of keys does not change a digest, the kind does", () => {
  assert.equal(
    digestOf("CHECK", "x", { a: 1, b: [{ c: 2, d: 3 }] }),
    digestOf("CHECK", "x", { b: [{ d: 3, c: 2 }], a: 1 }),
  );
  assert.notEqual(digestOf("CHECK", "x", {}), digestOf("CREATE_ORDER", "x", {}));
});
