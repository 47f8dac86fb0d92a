/** A live capture by a program: the example of docs/api.md, and what it promises of its end and its errors. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { CaptureError, type LiveCaptureOptions, NamesError, openCapture } from "./api.js";
import { reasonToSkip, TestNetwork } from "./capture/kernel/netns.test.fixture.js";
import { FrameSender, udpFrame } from "./capture/live/live.test.fixture.js";
import { ROOT } from "./commands/terminal.test.fixture.js";
import { until } from "./until.test.fixture.js";

describe("a live capture of a program", { skip: reasonToSkip() }, () => {
  let network: TestNetwork;
  let here: string;
  let there: string;
  let folder: string;

  beforeEach(() => {
    network = new TestNetwork();
    here = network.add();
    there = network.add();
    for (const name of [here, there]) network.set(name, "net.ipv6.conf.default.disable_ipv6", 1);
    network.link(here, "br-app", "", there, "w1", "");
    folder = mkdtempSync(join(tmpdir(), "netwatch-api-"));
  });
  afterEach(async () => {
    rmSync(folder, { recursive: true });
    await network.close();
  });

  const send = (frames: number) => {
    const sender = new FrameSender(there, "w1");
    for (let i = 0; i < frames; i++) sender.send(udpFrame(9, 60));
    sender.close();
  };
  const open = (more: Partial<LiveCaptureOptions> = {}) =>
    openCapture({ interface: "br-app", netns: here, numeric: true, intervalMs: 20, ...more });

  test("the example of docs/api.md prints what was captured, and ends", async () => {
    const [, code] = /^```mjs\n([\s\S]*?)^```$/m.exec(readFileSync(join(ROOT, "docs/api.md"), "utf8"))!;
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(ROOT, join(folder, "node_modules/netwatch"));
    writeFileSync(join(folder, "example.mjs"), code!);
    const child = spawn("ip", ["netns", "exec", here, process.execPath, "example.mjs"], { cwd: folder });
    let out = "";
    const hear = (piece: Buffer) => {
      out += piece.toString();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    const ended = once(child, "exit");
    // Packets before its socket is open are not its packets.
    const feed = setInterval(() => send(1), 100);
    await ended;
    clearInterval(feed);
    assert.equal(child.exitCode, 0, out);
    assert.match(out, /^10\.\S+ -> 10\.\S+ ([3-9]|\d\d+) packets\n0 dropped\n$/);
  });

  test("each turn of a loop has the newest Snapshot, good for as long as it is wanted; leaving the loop closes", async () => {
    const capture = await open();
    const seen: number[] = [];
    let kept: readonly object[] | null = null;
    for await (const { totals, tables } of capture) {
      seen.push(totals.packets);
      if (seen.length === 1) send(2);
      if (totals.packets === 2 && kept === null) {
        kept = tables.pairs.rows as unknown as readonly object[];
        send(3);
      }
      if (totals.packets === 5) break;
    }
    assert.deepEqual([seen[0], seen.at(-1)], [0, 5]);
    assert.equal((kept![0] as { packets: number }).packets, 2);
    const last = await capture.close();
    assert.equal(last.totals.packets, 5);
    assert.equal(await capture.close(), last, "each time the same");
    assert.equal(last.ledger.interfaces?.[0]?.residual?.packets, 0);
  });

  test("a signal ends the loop with a last Snapshot; so does an interface that goes away, and the ledger says so", async () => {
    const stop = new AbortController();
    const capture = await open({ signal: stop.signal });
    send(1);
    let packets = 0;
    for await (const { totals } of capture) {
      packets = totals.packets;
      if (packets === 1) stop.abort();
    }
    assert.equal(packets, 1);
    const gone = await open();
    network.ip(here, "link del br-app");
    let ended: string | null | undefined;
    for await (const { ledger } of gone) ended = ledger.interfaces?.[0]?.ended;
    assert.equal(ended, "the interface is gone");
  });

  test("nothing is lost between two questions, and what it does without is told", async () => {
    const notices: string[] = [];
    const capture = await open({ conntrack: true, onNotice: (line) => void notices.push(line) });
    send(4);
    await until(() => network.packets(here, "br-app").received >= 4);
    const { totals, conntrack } = await capture.close();
    assert.equal(totals.packets, 4);
    assert.ok(conntrack, notices.join());
  });

  test("what cannot be opened is a typed error", async () => {
    const failing = (failure: string) => (error: unknown) =>
      error instanceof CaptureError && error.failure === failure && !error.message.includes("sudo");
    await assert.rejects(open({ interface: "none" }), failing("interface"));
    await assert.rejects(open({ filter: "nonsense (" }), failing("filter"));
    await assert.rejects(open({ interface: [] }), failing("usage"));
    await assert.rejects(open({ interface: "any" }), failing("usage"));
    await assert.rejects(open({ netns: "netwatch-none" }), failing("interface"));
    for (const wrong of [{ intervalMs: 0 }, { rows: 0 }, { maxFlows: 1.5 }])
      await assert.rejects(open(wrong), RangeError);
    const names = join(folder, "names.json");
    await assert.rejects(open({ names }), { code: "ENOENT" });
    writeFileSync(names, "{");
    await assert.rejects(open({ names }), NamesError);
  });
});
