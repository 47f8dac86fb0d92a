import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { ExitCode } from "../../exit.js";
import { createFakeTerminal, expectGolden, ROOT } from "../terminal.test.fixture.js";
import { type MetricsOptions, metrics } from "./metrics.js";

const SHOP = join(ROOT, "fixtures/shop.pcapng");
const LAB = join(ROOT, "services/lab.json");

async function run(options: MetricsOptions): Promise<string> {
  const terminal = createFakeTerminal();
  assert.equal(await metrics([SHOP], options, "netwatch 0", terminal), ExitCode.ok);
  terminal.dispose();
  return terminal.out();
}

/** The sum of a metric over all its samples. */
function sum(page: string, name: string): number {
  const lines = page.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  assert.ok(lines.length > 0, name);
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(" "))), 0);
}

test("the shop's page reads as pinned, in both formats", async () => {
  expectGolden("shop.metrics.txt", await run({ names: LAB }));
  expectGolden("shop.openmetrics.txt", await run({ names: LAB, openmetrics: true }));
});

test("the edges of a page have all the bytes and packets of its IP traffic, within and beyond the cap", async () => {
  for (const maxSeries of [2000, 650]) {
    const page = await run({ names: LAB, maxSeries });
    for (const unit of ["bytes", "packets"]) {
      const edges =
        sum(page, `netwatch_edge_sent_${unit}_total`) + sum(page, `netwatch_edge_received_${unit}_total`);
      const none = /protocol="(?:arp|none)"\} (\d+)$/gm;
      const traffic = page.split("\n").filter((line) => line.startsWith(`netwatch_traffic_${unit}_total`));
      const notIp = [...traffic.join("\n").matchAll(none)].reduce((total, [, n]) => total + Number(n), 0);
      assert.equal(edges, sum(page, `netwatch_traffic_${unit}_total`) - notIp);
    }
    const samples = page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
    assert.ok(samples <= maxSeries, `${samples}`);
    assert.equal(page.includes('source="~other"'), maxSeries === 650);
  }
});

test("an address without a name is nowhere on a page", async () => {
  assert.doesNotMatch(await run({}), /\d+\.\d+\.\d+\.\d+|fd00:/);
});

test("promtool finds no fault in a page", (t) => {
  if (spawnSync("promtool", ["--version"]).error)
    return t.skip("needs promtool (Debian's package prometheus)");
  const check = async () => {
    const { stdout, stderr, status } = spawnSync("promtool", ["check", "metrics"], {
      input: await run({ names: LAB }),
      encoding: "utf8",
    });
    assert.deepEqual({ status, words: stdout + stderr }, { status: 0, words: "" });
  };
  return check();
});
