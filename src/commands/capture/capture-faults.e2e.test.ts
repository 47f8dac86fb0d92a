import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip, TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import {
  type BridgeLab,
  capIsMissing,
  createBridge,
  udpFrame,
} from "../../capture/live/live.test.fixture.js";
import { until } from "../../until.test.fixture.js";
import { lastSnapshot, type Running, Workplace } from "./capture.test.fixture.js";

const NOBODY = 65_534;

describe("netwatch capture when things go wrong", { skip: reasonToSkip("mount") }, () => {
  let network: TestNetwork;
  let lab: BridgeLab;
  let work: Workplace;
  const on = (name = "br0") => ["-i", name, "--netns", lab.bridge, "-n", "-o", "json"];
  /** Frames that are at the bridge when it is done. */
  const send = (count: number, size = 60) =>
    lab.passing(() => {
      const frame = udpFrame(9, size);
      for (let i = 0; i < count; i++) lab.a.send(frame);
    });

  before(() => {
    work = new Workplace();
  });
  after(() => work.close());
  beforeEach(() => {
    network = new TestNetwork();
    lab = createBridge(network);
  });
  afterEach(async () => {
    lab.close();
    await network.close();
  });

  const down = /port0: the interface went down; 3 packets before that are counted/;
  const gone = /port0: the interface is gone; 3 packets before that are counted/;
  for (const [what, act, says, engine] of [
    ["goes down", "link set port0 down", down, "ring"],
    ["is deleted", "link del port0", gone, "ring"],
    ["goes down", "link set port0 down", down, "cap"],
  ] as const) {
    test(`engine ${engine}, the interface ${what}: said before the next look, what was captured is kept`, async (t) => {
      if (engine === "cap" && capIsMissing()) return t.skip("needs the optional package cap");
      const file = work.path("down.pcapng");
      // no look at its own comes within the test's patience, but for engine cap, which has to have its packets out of libpcap
      const looks = engine === "cap" ? "0.1" : "3600";
      const words = [...on("port0"), "-w", file, "--engine", engine, "-o", "ndjson", "--interval", looks];
      const run = await work.listen(words);
      await send(3);
      if (engine === "cap") await run.shows(({ totals }) => totals.packets === 3);
      network.ip(lab.bridge, act);
      const ended = await run.ended;
      assert.equal(ended.code, 4);
      assert.match(ended.stderr, says);
      const { totals, ledger } = lastSnapshot(ended);
      assert.deepEqual([totals.packets, ledger.complete], [3, false]);
      assert.equal((await work.analyze(file)).totals.packets, 3);
    });
  }

  test("the namespace is removed: said, what was captured is kept", async () => {
    const run = await work.listen(on());
    await send(3);
    // The name is deleted; the sockets keep the namespace itself.
    execFileSync("umount", [`/run/netns/${lab.bridge}`]);
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 4);
    assert.match(stderr, /the network namespace nw\w+ is gone; 3 packets before that are counted/);
    assert.equal((JSON.parse(stdout.toString()) as Snapshot).totals.packets, 3);
  });

  test("a namespace by the path of a process: captured though the process may not be looked at any more", async () => {
    const process = await network.start(lab.bridge, 'console.log("ready"); process.stdin.resume();');
    const path = `/proc/${process.pid}/ns/net`;
    const words = ["-i", "br0", "--netns", path, "-n", "-o", "ndjson", "--interval", "0.1", "-c", "3"];
    const run = await work.listen(words);
    // The first look at the namespace is behind it.
    await once(run.child.stdout!, "data");
    send(3);
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    const last = stdout.toString().trim().split("\n").at(-1)!;
    assert.equal((JSON.parse(last) as Snapshot).totals.packets, 3);
  });

  test("the disk is full: its own exit code, and the file can be read up to there", async () => {
    const disk = work.path("disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m,mode=777", "none", disk]);
    try {
      const file = `${disk}/full.pcapng`;
      const run = await work.listen([...on(), "-w", file]);
      await send(2000, 1000);
      const { code, stdout, stderr } = await run.ended;
      assert.equal(code, 8, stderr);
      assert.match(stderr, /full\.pcapng: no space left on the device/);
      const seen = (JSON.parse(stdout.toString()) as Snapshot).totals.packets;
      const { totals, ledger } = await work.analyze(file);
      assert.deepEqual(ledger.files[0]!.damage, null);
      assert.ok(totals.packets > 900 && totals.packets <= seen, `${totals.packets} of ${seen}`);
    } finally {
      execFileSync("umount", [disk]);
    }
  });

  test("stopped for seconds under load: the kernel's drops are in the ledger, the file and the line at the end", async () => {
    const file = work.path("dropped.pcapng");
    const words = ["--no-conntrack", "--buffer", "1", "-w", file, "-o", "ndjson", "--interval", "0.1"];
    const run = await work.listen([...on(), ...words]);
    await run.freeze();
    await send(3000, 1000);
    run.child.kill("SIGCONT");
    await run.shows(({ totals, ledger }) => totals.packets + (ledger.dropped ?? 0) === 3000);
    await send(1);
    const ended = await run.stop();
    const { code, stderr } = ended;
    assert.equal(code, 0);
    const { totals, tables, ledger } = lastSnapshot(ended);
    const [seen] = ledger.interfaces!;
    assert.ok(ledger.dropped! > 1000, String(ledger.dropped));
    assert.equal(ledger.complete, false);
    assert.equal(totals.packets + ledger.dropped!, 3001);
    assert.equal(seen!.received, 3001);
    assert.equal(seen!.residual!.packets, ledger.dropped);
    assert.ok(seen!.freezes! > 0);
    assert.match(stderr, new RegExp(`${ledger.dropped!.toLocaleString("en")} dropped by kernel`));
    const replay = await work.analyze(file);
    assert.equal(replay.ledger.dropped, ledger.dropped);
    assert.deepEqual(replay.tables, tables);
  });

  test("the reader of stdout goes away: a quiet end, and the file beside it is whole", async () => {
    const file = work.path("alone.pcapng");
    const run = await work.listen([...on(), "-o", "ndjson", "--interval", "0.1", "-w", file]);
    await send(3);
    await run.shows(({ totals }) => totals.packets === 3);
    run.child.stdout!.destroy();
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /error|EPIPE/);
    assert.equal((await work.analyze(file)).totals.packets, 3);
    assert.equal((await work.analyze(file)).ledger.files[0]!.damage, null);
  });

  test("killed outright: the file holds what was written, with no half packet before its end", async () => {
    const file = work.path("killed.pcapng");
    const run = await work.listen([...on(), "--interval", "0.1", "-w", file]);
    await send(5);
    await until(async () => (await work.analyze(file)).totals.packets === 5);
    await run.stop("SIGKILL");
    assert.equal((await work.analyze(file)).totals.packets, 5);
  });

  /** What the process takes for the time of day steps at each signal; the kernel's time of the packets does not. */
  const STEPS = `
    const [now, steps] = [Date.now, [-36e5, 36e5]];
    let offset = 0;
    Date.now = () => now() + offset;
    process.on("SIGUSR2", () => {
      offset = steps.shift();
      process.stderr.write("the clock is off by " + offset + "\\n");
    });`;
  const stepping = {
    env: { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(STEPS)}` },
  };
  const step = async (run: Running, offset: number) => {
    run.child.kill("SIGUSR2");
    await run.said(`the clock is off by ${offset}\n`);
  };

  test("the clock is set an hour back, then two ahead: every packet counts, nothing ends by it, a replay equals it", async () => {
    const file = work.path("stepped.pcapng");
    const limits = ["-a", "duration:3000", "-b", "duration:3000"];
    const words = [...on(), "-Z", "root", "-w", file, "-o", "ndjson", "--interval", "0.1", ...limits];
    const run = await work.listen(words, stepping);
    for (const [i, offset] of [null, -36e5, 36e5].entries()) {
      if (offset !== null) await step(run, offset);
      await send(10);
      await run.shows(({ totals }) => totals.packets === 10 * (i + 1));
    }
    const ended = await run.stop();
    assert.equal(ended.code, 0, ended.stderr);
    const { totals, tables, window, series, ledger } = lastSnapshot(ended);
    assert.deepEqual([totals.packets, ledger.complete], [30, true]);
    assert.ok(window.duration < 3000, String(window.duration));
    assert.equal(
      series.classes.flatMap(({ packets }) => packets).reduce((sum, n) => sum + n, 0),
      30,
    );
    const [written, ...others] = readdirSync(work.folder).filter((name) => name.startsWith("stepped"));
    assert.deepEqual(others, [], "no file of the ring is ended by a step");
    const replay = await work.analyze(work.path(written!));
    assert.deepEqual([replay.totals, replay.window], [totals, window]);
    const { pairs, protocols, endpoints } = replay.tables;
    assert.deepEqual([pairs, protocols, endpoints], [tables.pairs, tables.protocols, tables.endpoints]);
  });

  test("the clock is set an hour back: the run ends after its duration all the same", async () => {
    const run = await work.listen([...on(), "-Z", "root", "-a", "duration:2"], stepping);
    await step(run, -36e5);
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
  });

  test("a link at the file's name is not followed, what it points to stays", async () => {
    const target = work.path("precious");
    const link = work.path("link.pcapng");
    writeFileSync(target, "precious");
    symlinkSync(target, link);
    const { code, stderr } = await work.run(["capture", ...on(), "-w", link]);
    assert.equal(code, 8);
    assert.match(stderr, /link\.pcapng: too many symbolic links/);
    assert.equal(readFileSync(target, "utf8"), "precious");
  });

  test("a ring of files in a folder that the user `nobody` may not write to: reported before the capture, with a cure", async () => {
    const words = ["-w", work.path("ring.pcapng"), "-b", "packets:2"];
    execFileSync("chmod", ["755", work.folder]);
    const { code, stderr } = await work.run(["capture", ...on(), ...words]);
    assert.equal(code, 8);
    assert.match(stderr, /permission denied; .*--user NAME/);
    assert.equal(readdirSync(work.folder).filter((name) => name.startsWith("ring")).length, 0);
  });

  test("without privilege the message names the capability and the command", async () => {
    const env = { ...process.env, HOME: work.folder };
    const words = ["capture", "-i", "lo", "tcp", "port 80"];
    const through = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const { code, stderr } = await work.startOutside(words, { env }, null, through).ended;
    assert.equal(code, 3, stderr);
    assert.equal(
      stderr,
      "netwatch: capturing on lo needs CAP_NET_RAW: run `sudo netwatch capture -i lo tcp 'port 80'`\n",
    );
  });

  test("wrong words and names end with their own codes", async () => {
    for (const [words, code, says] of [
      [[], 2, /--bridge NAME or -i NAME/],
      [["-i", "any"], 2, /several times/],
      [["-i", "no0", "--netns", lab.bridge], 4, /no interface no0/],
      [["-i", "br0", "--netns", "nowhere"], 4, /no network namespace nowhere/],
      [[...on(), "tcp", "prot"], 5, /syntax error/],
      [[...on(), "-b", "files:2"], 2, /-w FILE/],
      [[...on(), "-a", "duration"], 2, /duration:N/],
      [[...on(), "-w", work.path("no/such/folder/x.pcapng")], 8, /no such file or directory/],
      [["-i", "$(touch pwned)\x1b[31m", "--netns", lab.bridge], 4, /no interface \$\(touch pwned\)\\x1b/],
    ] as const) {
      const ended = await work.run(["capture", ...words]);
      assert.equal(ended.code, code, `${words.join(" ")}: ${ended.stderr}`);
      assert.match(ended.stderr, says);
      assert.equal(ended.stdout.length, 0);
    }
    assert.ok(!existsSync("pwned"));
  });
});
