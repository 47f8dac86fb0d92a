import assert from "node:assert/strict";
import { test } from "node:test";
import { planLab, readLab } from "../topology.js";
import { formatTrials, trialsOf } from "./test-bft.js";

const words = (nodes: number) =>
  trialsOf(planLab(readLab(), { profile: "flat", policies: false, nodes })).map(
    ({ faults, expected }) =>
      `${faults.map(([node, kind]) => `${node.slice(-1)} ${kind}`).join(", ") || "none"}: ${expected}`,
  );

test("four nodes are tried with one failing in each way, and with more than they can spare", () => {
  assert.deepEqual(words(4), [
    "none: paid",
    "2 dead: ordered",
    "2 silent: ordered",
    "2 lying: ordered",
    "1 dead, 2 silent: refused",
  ]);
});

test("three nodes, which tolerate no liar, are not tried with one", () => {
  assert.deepEqual(words(3), [
    "none: paid",
    "2 dead: ordered",
    "2 silent: ordered",
    "1 dead, 2 silent: refused",
  ]);
});

test("what is wrong is said with what should be", () => {
  const faults = [["order-node-2", "lying"]] as const;
  assert.equal(
    formatTrials([
      { faults: [], expected: "paid", seen: "paid", isRight: true },
      { faults, expected: "ordered", seen: "paid and refused", isRight: false },
    ]),
    'ok     every node well: orders stand and are paid\nWRONG  order-node-2 lying: should be "orders stand, payments are refused", but was: paid and refused',
  );
});
