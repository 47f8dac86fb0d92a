import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { createFakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { analyzeCaptures } from "./captures.js";

test("services that move from port to port are no scan, nor is the rest of the shop's traffic", async () => {
  for (const capture of ["rotation", "tiers", "shop"]) {
    const terminal = createFakeTerminal();
    const options = { names: join(ROOT, "services/lab.json"), seed: 1 };
    const files = [join(ROOT, `fixtures/${capture}.pcapng`)];
    const { snapshot } = await analyzeCaptures(files, options, "netwatch 0", terminal);
    terminal.dispose();
    assert.ok(snapshot.totals.packets > 0);
    assert.deepEqual(
      snapshot.findings.filter(({ code }) => code === "scan"),
      [],
    );
  }
});
