import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { EventTracker } from "../../analyze/event-tracker.js";
import type { HealthReport, Row, Snapshot } from "../../analyze/snapshot/snapshot.js";
import { App } from "../../tui/app.js";
import { UNICODE } from "../../tui/chrome/glyphs.js";
import { emptyModel } from "../../tui/model.js";
import { analyzeCaptures } from "../analyze/captures.js";
import { createFakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { MONITOR_ROWS, MonitorFeed } from "./tui-feed.js";

let shop: Snapshot;

before(async () => {
  const terminal = createFakeTerminal();
  shop = (await analyzeCaptures([join(ROOT, "fixtures/shop.pcapng")], {}, "netwatch 0", terminal)).snapshot;
  terminal.dispose();
});

/** A feed, and what a run tells it. */
function createFeed() {
  const size = () => ({ columns: 80, rows: 24 });
  const looks = { size, color: false, glyphs: UNICODE, paint: () => {} };
  const feed = new MonitorFeed(new App(emptyModel("shop", "live"), looks));
  const tracker = new EventTracker();
  return {
    app: feed.app,
    show(snapshot: Snapshot) {
      for (const event of tracker.look(snapshot)) feed.onEvent(event);
      feed.show(snapshot, 1);
    },
    health(report: HealthReport, problem: string | null = null) {
      for (const event of tracker.health(report)) feed.onEvent(event);
      feed.onHealth({ report, problem, checks: [], timeUs: 0 });
    },
  };
}

/** The shop with other pairs, each with fewer bytes than the one before. */
function withPairs(names: readonly string[], dropped = 0): Snapshot {
  const rows = names.map((source, i): Row => {
    const counts = { packets: 1, bytes: names.length - i, share: 0, conversations: 1 };
    return { source, destination: "web", ...counts };
  });
  return {
    ...shop,
    ledger: { ...shop.ledger, dropped },
    tables: { ...shop.tables, pairs: { ...shop.tables.pairs, rows, omitted: 0 } },
  };
}

const told = ({ app }: { readonly app: App }) => app.model.events.map(({ kind, text }) => `${kind}: ${text}`);

test("the monitor shows what happened between two looks; who talks at the first is known", () => {
  const feed = createFeed();
  feed.show(withPairs(["a", "b"]));
  assert.deepEqual(told(feed), []);
  feed.show(withPairs(["a", "c", "b"], 3));
  assert.deepEqual(told(feed), [
    "new-pair: c and web talk for the first time",
    "capture-drop: 3 packets dropped by the kernel",
  ]);
  assert.equal(feed.app.model.events[0]?.time, shop.window.end);
});

test("a scan takes six lines of the screen, and none at the next look", () => {
  const feed = createFeed();
  feed.show(withPairs([]));
  const scan = Array.from({ length: 500 }, (_, i) => `host-${i}`);
  feed.show(withPairs(scan));
  assert.equal(told(feed).length, 6);
  assert.equal(told(feed)[0], "new-pair: 495 more new pairs");
  feed.show(withPairs(scan.toReversed()));
  assert.equal(told(feed).length, 6);
});

test("a pair that rises from below the rows that are held is not new", () => {
  const feed = createFeed();
  const many = Array.from({ length: MONITOR_ROWS + 5 }, (_, i) => `host-${i}`);
  feed.show(withPairs(many));
  feed.show(withPairs([...many.toReversed(), "late"]));
  assert.equal(feed.app.model.snapshot?.tables.pairs.rows.length, MONITOR_ROWS + 1);
  assert.deepEqual(told(feed), ["new-pair: late and web talk for the first time"]);
});

test("health that changes is shown with the time of its round", () => {
  const feed = createFeed();
  const target = { service: "web", address: "10.0.0.1", port: 80, check: "http", history: [] };
  const round = (time: string, state: "up" | "down", reason: string | null) =>
    feed.health({ time, targets: [{ ...target, state, reason }] } as unknown as HealthReport);
  round("2026-11-22T10:00:00Z", "up", null);
  assert.deepEqual(told(feed), []);
  round("2026-11-22T10:00:10Z", "down", "nobody listens");
  assert.deepEqual(told(feed), ["health: web (10.0.0.1) is down: nobody listens"]);
  assert.equal(feed.app.model.events[0]?.time, "2026-11-22T10:00:10Z");
  assert.equal(feed.app.model.health?.targets[0]?.state, "down");
});

test("what goes wrong with health is told once, until it is another", () => {
  const feed = createFeed();
  const report = { time: "2026-11-22T10:00:00Z", targets: [] } as unknown as HealthReport;
  for (const problem of ["no registry", "no registry", null, "no registry"]) feed.health(report, problem);
  assert.deepEqual(told(feed), ["error: no registry", "error: no registry"]);
  assert.equal(feed.app.model.health, null, "no service was checked");
});
