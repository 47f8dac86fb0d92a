import assert from "node:assert/strict";
import { test } from "node:test";
import { Analyzer } from "../analyze/analyzer.js";
import { APPLICATION_NAMES } from "../analyze/app/applications.js";
import { MissedCounts } from "../analyze/app/missed.js";
import { buildSnapshot } from "../analyze/snapshot/build.js";
import type { Ledger, LedgerInterface, Snapshot } from "../analyze/snapshot/snapshot.js";
import { describeCompleteness, findGaps } from "../report/completeness.js";
import { renderSummary, renderTableOf } from "../report/text/text.js";
import { completenessText } from "../tui/lists/ledger.js";
import { captureLosses, captureNotes, describeEntered, describeTunnels } from "./completeness.js";
import { describeIncompleteness, describeMissing, listMissing, missingHere, missingOf } from "./missing.js";

const LOOKS = { width: 80, color: false };

function snapshotWith(change: Partial<Ledger>): Snapshot {
  const empty = buildSnapshot(new Analyzer({ maxFlows: 1 }), {
    producer: "netwatch test",
    files: [],
    dropped: 0,
    names: null,
  });
  return { ...empty, ledger: { ...empty.ledger, ...change } };
}

const NOTHING = { connections: 0, unfollowed: 0, gaps: 0, operations: 0 };
const LOSSY = snapshotWith({
  inspection: {
    connections: 5,
    unfollowed: 4,
    gaps: 2,
    operations: 0,
    missed: [
      { application: "http", reason: "gap in the capture", count: 2 },
      { application: "http", reason: "unreadable message", count: 1 },
      { application: "redis", reason: "request without room", count: 0 },
      { application: "http2", reason: "gap in the capture", count: 7 },
      { application: "tcp", reason: "connection without room", count: 4 },
      { application: "not known here", reason: "x", count: 4 },
    ],
  },
});

function interfaceWith(of: Partial<LedgerInterface>): LedgerInterface {
  return {
    name: "br0",
    netns: null,
    engine: "ring",
    clock: "kernel",
    filter: null,
    packets: 1,
    received: 1,
    dropped: 0,
    freezes: 0,
    counted: null,
    residual: null,
    ended: null,
    ...of,
  };
}

const said = (snapshot: Snapshot, table: string) =>
  missingOf(snapshot, snapshot.tables[table]!).map(({ reason, count }) => `${count} × ${reason}`);

test("every table says what it misses, and says nothing where nothing is known to be missing", () => {
  const unknown = "4 × connection without room, of no known protocol";
  assert.deepEqual(said(LOSSY, "tcp"), ["5 × connection or part of one summed as other"]);
  assert.deepEqual(said(LOSSY, "http"), [
    unknown,
    "2 × gap in the capture",
    "1 × unreadable message",
    "7 × gap in the capture, of http2",
  ]);
  assert.deepEqual(said(LOSSY, "redis"), [unknown]);
  assert.deepEqual(said(LOSSY, "pairs"), []);
  assert.deepEqual(listMissing(snapshotWith({})), []);
  assert.deepEqual(
    listMissing(LOSSY).map(({ table }) => table),
    ["tcp", "http", "http", "http", "http", "redis", "postgres", "dns", "tls"],
  );
});

test("what is lost of the capture is missing in all tables, what is no conversation only where those are told", () => {
  const lossy = snapshotWith({
    dropped: 3,
    files: [{ name: "a", packets: 1, damage: { offset: 7, reason: "cut", count: 1 } }],
    interfaces: [
      interfaceWith({ outages: 2 }),
      interfaceWith({ outages: 1 }),
      interfaceWith({ ended: "is gone" }),
    ],
    malformed: [
      { reason: "ip-version", packets: 1 },
      { reason: "ip-length", packets: 1 },
    ],
    tunnels: [
      { kind: "gre", packets: 9 },
      { kind: "gre", packets: 2, reason: "fragment of a packet" },
    ],
    evicted: { conversations: 3, packets: 9, bytes: 900 },
  });
  const lost = [
    "3 × packet lost while capturing",
    "1 × damaged file",
    "3 × outage of an interface",
    "1 × interface that ended",
  ];
  const unread = [
    "2 × malformed packet",
    "9 × packet inside gre",
    "2 × packet inside gre: fragment of a packet",
  ];
  assert.deepEqual(said(lossy, "protocols"), lost);
  assert.deepEqual(said(lossy, "http"), [...lost, ...unread]);
  assert.deepEqual(said(lossy, "endpoints"), [
    ...lost,
    ...unread,
    "3 × conversation or part of one summed as other",
  ]);
  assert.deepEqual(missingHere(lossy, lossy.tables.endpoints), []);
});

test("a Snapshot of before there were reasons says what it knows", () => {
  const old = snapshotWith({ inspection: { connections: 0, unfollowed: 2000, gaps: 1, operations: 3 } });
  assert.deepEqual(said(old, "dns"), [
    "1 × gap in the capture, of no known protocol",
    "2000 × connection without room, of no known protocol",
    "3 × operation without room, of no known protocol",
  ]);
});

test("what a Snapshot does not know, every view says it does not know", () => {
  const unknown = snapshotWith({ timeless: null, evicted: null, inspection: null });
  const sentence =
    "ot known: how many packets have no time, how many conversations are only summed as “other”, what the tables of TCP and of requests miss";
  const summary = [...renderSummary(unknown, { ...LOOKS, width: 300 })].join("");
  for (const text of [summary, describeCompleteness(unknown), describeIncompleteness(unknown)])
    assert.ok(text.includes(`N${sentence}.`), text);
  assert.ok(completenessText(unknown).includes(`n${sentence}`));
  const ofTcp = "Missing: not known how many × connection or part of one summed as other.";
  assert.ok(summary.includes(ofTcp));
  assert.ok([...renderTableOf(unknown, unknown.tables.tcp, LOOKS)].join("").includes(ofTcp));
  assert.doesNotMatch(describeCompleteness(unknown) + completenessText(unknown), /issing/);
  assert.deepEqual(listMissing(unknown).slice(0, 5), [
    { table: "pairs", reason: "conversation or part of one summed as other", count: null },
    { table: "talkers", reason: "conversation or part of one summed as other", count: null },
    { table: "conversations", reason: "conversation or part of one summed as other", count: null },
    { table: "endpoints", reason: "conversation or part of one summed as other", count: null },
    { table: "tcp", reason: "connection or part of one summed as other", count: null },
  ]);
  assert.deepEqual(listMissing(unknown).at(-1), {
    table: "tls",
    reason: "request that was not followed",
    count: null,
  });
});

test("every protocol and reason that the analyzer counts reaches a table", () => {
  for (const { application, reason } of new MissedCounts().all(APPLICATION_NAMES)) {
    const inspection = { ...NOTHING, missed: [{ application, reason, count: 1 }] };
    const tables = listMissing(snapshotWith({ inspection })).filter((one) => one.reason.startsWith(reason));
    assert.ok(tables.length > 0, `${application}: ${reason}`);
  }
});

test("what an output calls incomplete, every other does", () => {
  const complete: readonly Partial<Ledger>[] = [
    {},
    { dropped: null },
    { inspection: { ...NOTHING, missed: [{ application: "http", reason: "x", count: 1 }] }, complete: false },
  ];
  const incomplete: readonly Partial<Ledger>[] = [
    { dropped: 1 },
    { interfaces: [interfaceWith({ outages: 1 })] },
    { interfaces: [interfaceWith({ ended: "is gone" })] },
    { files: [{ name: "a", packets: 1, damage: { offset: 7, reason: "cut", count: 1 } }] },
    { complete: false },
  ];
  const verdicts = (change: Partial<Ledger>) => {
    const snapshot = snapshotWith(change);
    const head = [...renderSummary(snapshot, LOOKS)][1]!;
    return [
      captureLosses(snapshot.ledger).length > 0,
      findGaps(snapshot).length > 0,
      head.includes("INCOMPLETE"),
      describeCompleteness(snapshot).startsWith("Incomplete"),
      describeIncompleteness(snapshot).startsWith("Incomplete"),
      completenessText(snapshot).includes("INCOMPLETE"),
      missingOf(snapshot, snapshot.tables.protocols).length > 0,
    ];
  };
  for (const change of complete) assert.deepEqual(new Set(verdicts(change)), new Set([false]));
  for (const change of incomplete) assert.deepEqual(new Set(verdicts(change)), new Set([true]));
});

test("no output says complete and leaves out that a table is not", () => {
  const summary = [...renderSummary(LOSSY, LOOKS)].join("");
  assert.match(summary, /complete: read whole, no packet lost/);
  assert.match(summary, /\nMissing of requests: 4 × connection without room, of no known protocol\.\n/);
  assert.match(summary, /HTTP\n.*\n {2}Missing: 2 × gap in the capture, 1 × unreadable message, 7 × gap in/);
  assert.doesNotMatch(summary, /Redis/);
  const page = describeCompleteness(LOSSY);
  assert.match(page, /^Complete: .* Something is missing in TCP.*, HTTP, as is said there\.$/);
  assert.match(
    completenessText(LOSSY),
    /no packet lost, missing in TCP.*, HTTP, missing of requests of no known/,
  );
  const alone = [...renderTableOf(LOSSY, LOSSY.tables.redis!, LOOKS)].join("");
  assert.match(alone, /\n {2}Missing: 4 × connection without room, of no known protocol\.\n$/);
  assert.equal(describeMissing([]), "");
});

test("tunnels are one sentence that agrees with its number", () => {
  const sentence = (...packets: number[]) =>
    describeTunnels(snapshotWith({ tunnels: packets.map((n) => ({ kind: "gre", packets: n })) }).ledger);
  assert.equal(sentence(), "");
  assert.match(sentence(1200, 1), /^1,201 packets are in tunnels \(1,200 gre, 1 gre\): /);
  assert.match(sentence(1), /^1 packet is in a tunnel /);
  assert.equal(captureNotes(snapshotWith({ tunnels: [{ kind: "gre", packets: 1 }] }).ledger).length, 1);
  const missed = { kind: "vxlan", packets: 3, reason: "unknown protocol inside" };
  assert.match(
    describeTunnels(snapshotWith({ tunnels: [missed] }).ledger),
    /\(3 vxlan: unknown protocol inside\)/,
  );
});

test("tunnels that were entered are one sentence that agrees with its number", () => {
  const ledgerOf = (...packets: number[]) =>
    snapshotWith({ decapsulated: packets.map((n) => ({ kind: "gre", packets: n })) }).ledger;
  assert.equal(describeEntered(ledgerOf()), "");
  assert.equal(describeEntered(ledgerOf(1)), "1 packet counts by the addresses inside its tunnel (1 gre).");
  assert.equal(
    describeEntered(ledgerOf(1200, 1)),
    "1,201 packets count by the addresses inside their tunnels (1,200 gre, 1 gre).",
  );
  assert.deepEqual(
    captureNotes(ledgerOf(2)).map(({ short }) => short),
    ["tunnels entered"],
  );
});
