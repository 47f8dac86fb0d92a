import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { labCheckCluster } from "../commands/check-cluster.js";
import { labFault } from "../commands/fault.js";
import { countOrders, order, waitFor } from "./shop-steps.js";

interface Placed {
  id: string;
  status: string;
  payment: { status: string; reason: string };
}

/** Enough orders for every node, the faulty one included, to be the first once. */
async function orders(count: number): Promise<Placed[]> {
  const placed: Placed[] = [];
  for (let turn = 0; turn < count; turn++) {
    const response = await order();
    const text = await response.text();
    assert.equal(response.status, 201, text);
    placed.push(JSON.parse(text));
  }
  return placed;
}

export async function clusterSteps(t: TestContext): Promise<void> {
  await t.test("four healthy nodes agree, whichever leads", async () => {
    assert.ok((await labCheckCluster()).every((check) => check.unanimous));
    // On a busy machine a node may vote too late, which refuses a payment.
    await waitFor(async () => (await orders(4)).every(({ payment }) => payment.status === "paid"));
  });

  for (const fault of ["dead", "silent", "lying"])
    await t.test(`one node ${fault}: orders commit, payments are refused with the reason`, async () => {
      const before = await countOrders();
      let placed: Placed[];
      try {
        await labFault("order-node-2", fault);
        placed = await orders(5);
        for (const { payment } of placed) {
          assert.equal(payment.status, "refused");
          assert.match(payment.reason, /payments need all 4 nodes: .*order-node-2/);
        }
        for (const { id } of placed) {
          const read = await fetch(`http://127.0.0.1:8080/orders/${id}`);
          assert.equal(((await read.json()) as { totalCents: number }).totalCents, 2580);
        }
        assert.equal((await countOrders()) - before, 5);
        const honest = (await labCheckCluster()).filter((check) => check.node !== "order-node-2");
        assert.ok(honest.every((check) => !check.unanimous));
        if (fault === "lying") await assertLiesCounted();
      } finally {
        await labFault("order-node-2", "ok");
      }
      await waitFor(async () => (await labCheckCluster()).every((check) => check.unanimous));
      const id = placed[0]!.id;
      const paid = await fetch(`http://127.0.0.1:8080/orders/${id}/payment`, { method: "POST" });
      assert.equal(paid.status, 200, await paid.text());
    });

  for (const [first, second] of [
    ["dead", "silent"],
    ["silent", "lying"],
    ["lying", "lying"],
  ])
    await t.test(
      `two nodes, ${first} and ${second}: orders are refused and nothing is half-written`,
      async () => {
        const before = await countOrders();
        try {
          await labFault("order-node-1", first!);
          await labFault("order-node-3", second!);
          const response = await order();
          const { error } = (await response.json()) as { error: string };
          assert.equal(response.status, 503);
          assert.match(error, /3 of 4 nodes must agree|no order node answers/);
          assert.equal(await countOrders(), before);
        } finally {
          for (const node of ["order-node-1", "order-node-3"]) await labFault(node, "ok");
        }
        await waitFor(async () => (await order()).status === 201);
        await waitFor(async () => (await labCheckCluster()).every((check) => check.unanimous));
        assert.equal(await countOrders(), before + 1);
      },
    );
}

/** A lying node lies as a voter and, when it leads, as a proposer: each lie is refused with its reason. */
async function assertLiesCounted(): Promise<void> {
  const kinds = [
    ...["wrong-digest", "bad-signature", "replay"].map((reason) => ["votesRefused", reason] as const),
    ...["unknown-signer", "replay", "equivocation"].map((reason) => ["proposalsRefused", reason] as const),
  ];
  // the gateway lets a node that failed lead again only after a while
  await waitFor(async () => {
    for (let turn = 0; turn < 4; turn++) assert.equal((await order()).status, 201);
    const checks = await labCheckCluster();
    return kinds.every(([list, reason]) => checks.some((check) => (check.report?.[list][reason] ?? 0) > 0));
  });
}
