import assert from "node:assert/strict";
import { test } from "node:test";
import { summarizeNamespaces } from "../../analyze/conntrack/joined.js";
import type { ConntrackLine } from "../../engine/recording/sidecar-lines.js";
import { SidecarState } from "./sidecar-state.js";

type Entries = ConntrackLine["namespaces"][number]["entries"];

/** A poll of namespaces by name; null: without their entries. */
function lineOf(namespaces: Readonly<Record<string, Entries>>): ConntrackLine {
  const capture = {
    ...{ netns: "web", bridge: false, networks: [], own_addresses: [], gap: false },
    ...{ start_us: 1, end_us: 2, poll_us: 2 },
  };
  return {
    kind: "conntrack",
    time: "2026-11-22T12:00:00Z",
    capture,
    namespaces: Object.entries(namespaces).map(([netns, entries]) => ({
      ...{ netns, entries, facts: null, resyncs: 0, failures: 0, odd: 0, problem: null, omitted: 0 },
    })),
  };
}

test("a namespace whose entries were never written, or not since it came back, is not known to track nothing", () => {
  const state = new SidecarState();
  const told = (line: ConntrackLine) => {
    state.take(line);
    return summarizeNamespaces(state.conntrack!.namespaces).map(({ netns, entries, problem }) => [
      netns,
      entries,
      problem !== null,
    ]);
  };
  assert.deepEqual(told(lineOf({ web: null, db: [] })), [
    ["web", null, true],
    ["db", 0, false],
  ]);
  assert.deepEqual(told(lineOf({ web: [], db: null })), [
    ["web", 0, false],
    ["db", 0, false],
  ]);
  assert.deepEqual(told(lineOf({ web: null })), [["web", 0, false]], "those of the line before hold");
  assert.deepEqual(told(lineOf({ web: null, db: null })), [
    ["web", 0, false],
    ["db", null, true],
  ]);
  const failed = lineOf({ web: null, db: null });
  Object.assign(failed.namespaces[0]!, { unknown: true, problem: "the kernel does not answer" });
  assert.deepEqual(told(failed)[0], ["web", null, true], "of a poll that failed nothing holds");
});
