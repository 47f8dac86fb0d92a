import assert from "node:assert/strict";
import { test } from "node:test";
import { ConntrackTable } from "../../capture/conntrack/conntrack-table.js";
import { ConntrackPoller } from "../../capture/conntrack/tracker.js";
import { summarizeNamespaces } from "./joined.js";
import { buildLimits } from "./limits.js";

const KNOWN = {
  netns: "shop",
  entries: new ConntrackTable(),
  facts: null,
  sockets: null,
  resyncs: 0,
  failures: 0,
  odd: 0,
  problem: null,
};

test("entries that could not be read are unknown, and so is their sum", () => {
  const unread = { ...KNOWN, netns: "web", isUnknown: true, failures: 1, problem: "no answer" };
  const { rows, total } = buildLimits([KNOWN, unread]);
  assert.deepEqual(
    [...rows].map(({ entries }) => entries),
    [0, null],
  );
  assert.deepEqual(total, { resyncs: 0, failures: 1 });
  assert.equal(buildLimits([KNOWN]).total.entries, 0);
  assert.deepEqual(
    summarizeNamespaces([KNOWN, unread]).map(({ entries }) => entries),
    [0, null],
  );
});

test("a poll that fails leaves the entries unknown", async () => {
  const tracker = ConntrackPoller.open(null);
  assert.equal(tracker.isUnknown, true);
  tracker.close();
  await tracker.poll(async () => {});
  const { isUnknown, failures, sockets } = tracker;
  assert.deepEqual({ isUnknown, failures, sockets }, { isUnknown: true, failures: 1, sockets: null });
});
