import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { App } from "../../tui/app.js";
import { UNICODE } from "../../tui/chrome/glyphs.js";
import { emptyModel } from "../../tui/model.js";
import { until } from "../../until.test.fixture.js";
import { createFakeTerminal } from "../terminal.test.fixture.js";
import { MonitorFeed } from "./tui-feed.js";
import { watchHealth } from "./tui-health.js";

test("services are asked again at every interval, never twice at once, until it is ended", async () => {
  let asked = 0;
  let together = 0;
  let most = 0;
  const server = createServer(async (_, response) => {
    asked++;
    together++;
    most = Math.max(most, together);
    await setTimeout(50); // longer than the interval
    together--;
    response.end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const terminal = createFakeTerminal();
  const names = join(terminal.folder, "names.json");
  const services = { web: { addresses: ["127.0.0.1"], ports: [port], health: "/" } };
  writeFileSync(names, JSON.stringify({ services }));
  const looks = {
    size: () => ({ columns: 80, rows: 24 }),
    color: false,
    glyphs: UNICODE,
    paint: () => {},
  };
  const app = new App(emptyModel("x", "live"), looks);
  const history = () => app.model.health?.targets[0]?.history ?? [];
  const watch = watchHealth({ names, healthInterval: 0.01 }, new MonitorFeed(app))!;
  try {
    // A check has two seconds, which a machine that does much else may take.
    await until(() => history().filter((state) => state === "up").length >= 3);
    watch.close();
    assert.equal(most, 1);
    const { length } = history();
    await until(() => together === 0);
    await setTimeout(20); // what came back of the round under way would have been told, and twice the interval is over
    assert.deepEqual([asked <= length + 1, history().length], [true, length]);
  } finally {
    watch.close();
    server.close();
    server.closeAllConnections();
    terminal.dispose();
  }
});
