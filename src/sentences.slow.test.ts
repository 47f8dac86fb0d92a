/** Every counted sentence agrees with its number, whoever says it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Analyzer } from "./analyze/analyzer.js";
import { findConntrackFindings } from "./analyze/conntrack/findings.js";
import { EventTracker } from "./analyze/event-tracker.js";
import { findIncompleteness } from "./analyze/findings/capture.js";
import { sayWorst } from "./analyze/findings/finding.js";
import { buildSnapshot } from "./analyze/snapshot/build.js";
import type { LedgerInterface, Snapshot } from "./analyze/snapshot/snapshot.js";
import type { ConntrackNamespace } from "./capture/conntrack/tracker.js";
import { summaryLine } from "./commands/capture/capture.js";
import { ROOT } from "./commands/terminal.test.fixture.js";
import { agree, formatCounted } from "./format.js";
import { describeCompleteness } from "./report/completeness.js";
import { renderSummary } from "./report/text/text.js";
import { completenessText } from "./tui/lists/ledger.js";
import { captureLosses, captureNotes } from "./view/completeness.js";
import { describeEvidence } from "./view/evidence.js";
import { describeIncompleteness, describeMissing, missingOf } from "./view/missing.js";

/** Nouns that the code counts, as it writes them; `x of its ${...}` is one too. */
const NOUNS = new Set(
  readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.test\./.test(name))
    .flatMap((name) => [
      ...readFileSync(join(ROOT, "src", name), "utf8").matchAll(
        /formatCounted\((?:[^()"]|\([^()]*\))*, "([a-zA-Z ]+)"\)/g,
      ),
    ])
    .map(([, noun]) => noun!),
);
/** As they stand after a plural. */
const VERBS = ["are", "were", "have", "do", "go", "come", "lack"];

/** What is wrong with the sentence's grammar; null: nothing. */
function flawOf(sentence: string): string | null {
  for (const noun of NOUNS) {
    const plural = formatCounted(2, noun).slice(2);
    const wrong = [
      `\\b1 ${plural}\\b`,
      `\\b[02] ${noun}\\b(?!s)`,
      ...VERBS.flatMap((verb) => [
        `\\b1 ${noun}( \\([^)]*\\))? ${verb}\\b`,
        `\\b[02] ${plural}( \\([^)]*\\))? ${agree(1, verb)}\\b`,
      ]),
    ].find((pattern) => new RegExp(pattern).test(sentence));
    if (wrong !== undefined && !(plural === noun)) return `${wrong}: ${sentence}`;
  }
  return null;
}

/** A Snapshot in which everything that can be missing is missing so many times. */
function lossy(n: number): Snapshot {
  const { ledger, ...rest } = buildSnapshot(new Analyzer({ maxFlows: 1 }), {
    producer: "netwatch test",
    files: Array.from({ length: n }, (_, i) => ({
      name: `x${i}`,
      packets: n,
      damage: { offset: n, reason: "cut short", count: n },
    })),
    interfaces: [{ name: "br", ended: null, outages: n, received: n, residual: null } as LedgerInterface],
    dropped: n,
    names: null,
  });
  const inspection = {
    ...{ connections: n, unfollowed: n, gaps: n, operations: n },
    missed: [{ application: "http", reason: "unreadable message", count: n }],
  };
  return {
    ...rest,
    totals: { packets: 10, bytes: 1000 },
    ledger: {
      ...ledger,
      truncated: n,
      timeless: n,
      malformed: [{ reason: "ip-version", packets: n }],
      tunnels: [{ kind: "gre", packets: n }],
      decapsulated: [{ kind: "gre", packets: n }],
      evicted: { conversations: n, packets: n, bytes: n },
      inspection,
      unresolved_bytes: n,
      name_sources: [{ source: "docker", reason: "gone", count: n, failing: true, omitted: n }],
    },
  };
}

function tracked(n: number): ConntrackNamespace {
  return {
    ...{ netns: null, problem: null, odd: n, resyncs: n, failures: n },
    entries: { count: 100, omitted: n },
    facts: {
      ...{ count: 90, limit: 100, accounting: false, bridge_ipv4: true, bridge_ipv6: true, bridgeIpv4: true },
      failures: { insertFailed: n, dropped: n, earlyDropped: n },
      timeouts: new Map(),
    },
  } as unknown as ConntrackNamespace;
}

function* sentences(n: number): Iterable<string> {
  const snapshot = lossy(n);
  yield describeCompleteness(snapshot);
  yield completenessText(snapshot);
  yield describeIncompleteness(snapshot);
  for (const { phrase } of captureLosses(snapshot.ledger)) yield phrase;
  for (const { short, long } of captureNotes(snapshot.ledger)) yield* [short, long];
  for (const table of Object.values(snapshot.tables)) yield describeMissing(missingOf(snapshot, table));
  for (const { text } of findIncompleteness(snapshot)) yield text;
  for (const { text } of findConntrackFindings([tracked(n)], true)) yield text;
  for (const { text } of sayWorst(
    "x",
    "pair",
    Array.from({ length: 3 + n }, (_, i) => ({ severity: "info" as const, weight: i, text: "A." })),
  ))
    yield text;
  for (const { text } of new EventTracker().look(snapshot)) yield text;
  yield describeEvidence({
    namespaces: [],
    evidence: [{ verdict: "wire-only", cause: "untracked", count: n, bytes: n }],
    counted: { connections: n, packets: n, bytes: n, tracked_packets: n, tracked_bytes: n },
    connections: snapshot.tables.tcp,
  });
  yield summaryLine({ ...snapshot, totals: { packets: n, bytes: n } });
  yield [...renderSummary(snapshot, { width: 200, color: false })].join("");
}

/** Texts that people read, with their places: of programs, and what Prometheus says. */
const WRITTEN = ["src", "services", "deploy"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|yml|sh)$/.test(name) && !/\.(test|fuzz)\.|(^|\/)(e2e|node_modules)\//.test(name))
    .map((name) => ({ name: join(folder, name), text: readFileSync(join(ROOT, folder, name), "utf8") })),
);
/** `${n} packets` and `{{ $value }} packets`: the noun stands as it is, whatever the number. */
const COUNTS = /(?:\$\{([^{}]*)\}|\{\{([^{}]*)\}\}) (?:[a-z]+ )?([a-z]+)\b/g;
/** Never 1: constants, rates and ratios with decimals, and what is checked before. */
const NEVER_ONE =
  /^[A-Z_.]*[A-Z]{2}[A-Z_.]*$|\.toFixed\(|formatFrequency|"%\.[1-9]f"|^formatCount\(shown\)$|^(cluster\.)?nodes$/;

/** Sentences that count without asking for the number's form. */
function* uncounted({ name, text }: { readonly name: string; readonly text: string }): Iterable<string> {
  const plurals = new Set([...NOUNS].map((noun) => formatCounted(2, noun.split(" ").at(-1)!).slice(2)));
  for (const [all, js = "", template = "", noun] of text.matchAll(COUNTS)) {
    const value = (js || template).trim();
    const isCount =
      /[cC]ount|length|size|\$value|^(?:n|more|left|omitted|lost|failed|files|packets|total|nodes|odd)$/.test(
        value,
      ) && !/ounted\(/.test(value);
    if (plurals.has(noun!) && isCount && !NEVER_ONE.test(value)) yield `${name}: ${all}`;
  }
}

test("what counts asks for the number's form, in src, services and deploy", () => {
  assert.ok(WRITTEN.length > 300);
  assert.deepEqual(
    WRITTEN.flatMap((one) => [...uncounted(one)]),
    [],
  );
  const dollar = "$";
  const wrong = `${dollar}{formatCount(n)} packets, ${dollar}{list.length} more files, {{ printf "%.0f" $value }} packets`;
  assert.equal([...uncounted({ name: "x", text: wrong })].length, 3);
});

test("of 0, 1 and 2 things no sentence joins a singular with a plural", () => {
  assert.ok(NOUNS.size > 20, [...NOUNS].join());
  for (const n of [0, 1, 2]) for (const sentence of sentences(n)) assert.equal(flawOf(sentence), null);
});

test("a sentence that does not agree is found", () => {
  for (const wrong of [
    "1 packet (10.0 %) were lost",
    "1 packets lost",
    "2 packet lost",
    "0 connection here",
    "1 conversation (3 B) are summed",
    "2 packets is in a tunnel",
    "1 entries left",
  ])
    assert.notEqual(flawOf(wrong), null, wrong);
});

test("nouns and verbs agree with any number", () => {
  const cases = [
    ["packet", "0 packets", "1 packet", "2 packets"],
    ["entry", "0 entries", "1 entry", "2 entries"],
    ["address", "0 addresses", "1 address", "2 addresses"],
    ["day", "0 days", "1 day", "2 days"],
    ["more new pair", "0 more new pairs", "1 more new pair", "2 more new pairs"],
  ];
  for (const [noun, ...expected] of cases)
    assert.deepEqual(
      [0, 1, 2].map((n) => formatCounted(n, noun!)),
      expected,
    );
  assert.deepEqual(
    ["are", "were", "have", "go", "come"].map((verb) => agree(1, verb)),
    ["is", "was", "has", "goes", "comes"],
  );
  assert.deepEqual(
    [0, 2].map((n) => agree(n, "were")),
    ["were", "were"],
  );
});
