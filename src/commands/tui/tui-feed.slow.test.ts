import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
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

function createFeed(): MonitorFeed {
  const size = () => ({ columns: 80, rows: 24 });
  return new MonitorFeed(
    new App(emptyModel("shop", "live"), { size, color: false, glyphs: UNICODE, paint: () => {} }),
  );
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

const told = ({ app }: MonitorFeed) => app.model.events.map(({ kind, text }) => `${kind}: ${text}`);

test("the monitor shows what happened between two looks; who talks at the first is known", async () => {
  const feed = createFeed();
  await feed.show(withPairs(["a", "b"]), 1);
  assert.deepEqual(told(feed), []);
  await feed.show(withPairs(["a", "c", "b"], 3), 1);
  assert.deepEqual(told(feed), [
    "new-pair: c and web talk for the first time",
    "capture-drop: 3 packets dropped by the kernel",
  ]);
  assert.equal(feed.app.model.events[0]?.time, shop.window.end);
});

test("a scan takes six lines of the screen, and none at the next look", async () => {
  const feed = createFeed();
  await feed.show(withPairs([]), 1);
  const scan = Array.from({ length: 500 }, (_, i) => `host-${i}`);
  await feed.show(withPairs(scan), 1);
  assert.equal(told(feed).length, 6);
  assert.equal(told(feed)[0], "new-pair: 495 more new pairs");
  await feed.show(withPairs(scan.toReversed()), 1);
  assert.equal(told(feed).length, 6);
});

test("a pair that rises from below the rows that are held is not new", async () => {
  const feed = createFeed();
  const many = Array.from({ length: MONITOR_ROWS + 5 }, (_, i) => `host-${i}`);
  await feed.show(withPairs(many), 1);
  await feed.show(withPairs([...many.toReversed(), "late"]), 1);
  assert.equal(feed.app.model.snapshot?.tables.pairs.rows.length, MONITOR_ROWS + 1);
  assert.deepEqual(told(feed), ["new-pair: late and web talk for the first time"]);
});

test("health that changes is shown with the time of its round", () => {
  const feed = createFeed();
  const target = { service: "web", address: "10.0.0.1", port: 80, check: "http", history: [] };
  const round = (time: string, state: "up" | "down", reason: string | null) =>
    feed.showHealth({ time, targets: [{ ...target, state, reason }] } as unknown as HealthReport);
  round("2026-11-22T10:00:00Z", "up", null);
  assert.deepEqual(told(feed), []);
  round("2026-11-22T10:00:10Z", "down", "nobody listens");
  assert.deepEqual(told(feed), ["health: web (10.0.0.1) is down: nobody listens"]);
  assert.equal(feed.app.model.events[0]?.time, "2026-11-22T10:00:10Z");
  assert.equal(feed.app.model.health?.targets[0]?.state, "down");
});
