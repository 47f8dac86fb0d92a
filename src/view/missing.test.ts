import assert from "node:assert/strict";
import { test } from "node:test";
import { Analyzer } from "../analyze/analyzer.js";
import { buildSnapshot } from "../analyze/build.js";
import type { Snapshot } from "../analyze/snapshot.js";
import { renderMarkdown } from "../report/markdown.js";
import { renderSummary, renderTableOf } from "../report/text.js";
import { describeMissing, describeTunnels, listMissing } from "./missing.js";

const LOOKS = { width: 80, color: false };

function snapshotWith(change: Partial<Snapshot["ledger"]>): Snapshot {
  const empty = buildSnapshot(new Analyzer({ maxFlows: 1 }), {
    producer: "netwatch test",
    files: [],
    dropped: 0,
    names: null,
  });
  return { ...empty, ledger: { ...empty.ledger, ...change } };
}

const LOSSY = snapshotWith({
  evicted: { conversations: 3, packets: 9, bytes: 900 },
  tunnels: [
    { kind: "vxlan", packets: 1200 },
    { kind: "gre", packets: 1 },
  ],
  inspection: {
    connections: 5,
    unfollowed: 0,
    gaps: 2,
    operations: 0,
    missed: [
      { application: "http", reason: "gap in the capture", count: 2 },
      { application: "http", reason: "unreadable message", count: 1 },
      { application: "redis", reason: "request without room", count: 0 },
    ],
  },
});

test("every table says what it misses, and says nothing where nothing is known to be missing", () => {
  assert.deepEqual(listMissing(LOSSY), [
    { table: "conversations", reason: "conversation summed as other", count: 3 },
    { table: "tcp", reason: "connection summed as other", count: 5 },
    { table: "http", reason: "gap in the capture", count: 2 },
    { table: "http", reason: "unreadable message", count: 1 },
  ]);
  assert.equal(
    describeMissing(LOSSY, "http"),
    "Not counted here: 2 × gap in the capture, 1 × unreadable message.",
  );
  assert.equal(describeMissing(LOSSY, "redis"), "");
  assert.deepEqual(listMissing(snapshotWith({})), []);
});

test("tunnels are one sentence that agrees with its number", () => {
  assert.equal(describeTunnels(snapshotWith({})), "");
  assert.match(describeTunnels(LOSSY), /^1,201 packets are in tunnels \(1,200 vxlan, 1 gre\): /);
  assert.match(
    describeTunnels(snapshotWith({ tunnels: [{ kind: "gre", packets: 1 }] })),
    /^1 packet is in a tunnel /,
  );
});

test("a table without a row that misses something is shown all the same", () => {
  const summary = [...renderSummary(LOSSY, LOOKS)].join("");
  assert.match(summary, /HTTP\n.*\n {2}Not counted here: 2 × gap in the capture, 1 × unreadable message\.\n/);
  assert.match(summary, /in tunnels/);
  assert.doesNotMatch(summary, /Redis/);
  const one = [...renderTableOf(LOSSY, "tcp", LOOKS)].join("");
  assert.match(one, /Not counted here: 5 × connection summed as other\./);
  assert.doesNotMatch(renderMarkdown(LOSSY.tables.http), /Not counted/, "a table alone knows nothing of it");
});
