import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip, TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { type BridgeLab, createBridge, udpFrame } from "../../capture/live/live.test.fixture.js";
import { until } from "../../until.test.fixture.js";
import { lastSnapshot, Workplace } from "./capture.test.fixture.js";

const NOBODY = 65_534;
const SOMEONE = 12_345;

/** Kinds of columns that tell times. */
const TIMES = ["time", "seconds", "milliseconds"];

/** The rows less what two sockets, each reading the clock for itself, see a microsecond apart. */
function withoutTimes({ tables }: Snapshot): unknown[] {
  return Object.values(tables).map(({ rows, columns }) => {
    const names = columns.filter(({ kind }) => !TIMES.includes(kind)).map(({ name }) => name);
    return [...rows].map((row) => names.map((name) => row[name]));
  });
}

describe("netwatch capture", { skip: reasonToSkip("tcpdump", "tshark", "capinfos", "ping") }, () => {
  let network: TestNetwork;
  let lab: BridgeLab;
  let work: Workplace;
  const on = () => ["-i", "br0", "--netns", lab.bridge, "-n", "--no-conntrack"];

  before(() => {
    network = new TestNetwork();
    lab = createBridge(network);
    work = new Workplace();
  });
  after(async () => {
    lab.close();
    await network.close();
    work.close();
  });

  /** 7 echo requests and answers, 5 connections of one line each way, 11 datagrams to a closed port. */
  async function makeTraffic(): Promise<void> {
    const [a, b] = lab.ends;
    const server = await network.start(
      b,
      `require("net").createServer((c) => c.on("data", () => c.end("pong"))).listen(6379, "10.9.0.2", () => console.log());`,
    );
    network.script(
      a,
      `const connect = (left) => left > 0 && require("net").connect(6379, "10.9.0.2")
        .on("data", () => {}).on("close", () => connect(left - 1)).end("ping");
      connect(5);`,
    );
    server.kill();
    network.run(a, "ping", ["-q", "-c", "7", "-i", "0.02", "10.9.0.2"]);
    network.script(
      a,
      `const u = require("dgram").createSocket("udp4");
      let left = 11;
      for (let i = 0; i < 11; i++) u.send(Buffer.alloc(100), 9, "10.9.0.2", () => --left === 0 && u.close());`,
    );
  }

  async function snapshotOf(words: readonly string[], act: () => void | Promise<void>): Promise<Snapshot> {
    const run = await work.listen([...on(), "-o", "json", ...words]);
    await lab.passing(act);
    const ended = await run.stop();
    assert.equal(ended.code, 0, ended.stderr);
    return lastSnapshot(ended);
  }

  test("known traffic gives known tables, the same as tcpdump and tshark see, each packet once", async () => {
    const tcpdump = spawn(
      "ip",
      `netns exec ${lab.bridge} tcpdump --immediate-mode --nano -U -s 0 -i br0 -w ${work.path("tcpdump.pcap")}`.split(
        " ",
      ),
      { stdio: ["ignore", "ignore", "pipe"] },
    );
    await once(tcpdump.stderr!, "data");
    const snapshot = await snapshotOf(["-w", work.path("own.pcapng")], makeTraffic);
    const tcpdumpFile = work.path("tcpdump.pcap");
    await until(async () => (await work.analyze(tcpdumpFile)).totals.packets === snapshot.totals.packets);
    tcpdump.kill("SIGINT");
    await once(tcpdump, "exit");
    const protocols = new Map([...snapshot.tables.protocols.rows].map((row) => [row.protocol, row]));
    // 7 requests and answers, and what the closed port answers: the kernel sends 6 of those at once, then fewer.
    const refusals = Number(protocols.get("ICMP")!.packets) - 14;
    assert.ok(refusals >= 1 && refusals <= 11, `${refusals} refusals`);
    const connections = [...snapshot.tables.conversations.rows].filter((row) => row.transport === "TCP");
    assert.equal(connections.length, 5);
    for (const { destination_port, packets, reply_packets } of connections) {
      assert.equal(destination_port, 6379);
      assert.ok(Number(packets) >= 4 && Number(reply_packets) >= 3);
    }
    assert.equal(protocols.get("UDP")!.packets, 11);
    assert.equal(protocols.get("UDP")!.bytes, 11 * 142);
    const icmp = [...snapshot.tables.conversations.rows].find((row) => row.transport === "ICMP");
    assert.deepEqual([icmp?.packets, icmp?.reply_packets], [7, 7 + refusals]);
    const replay = await work.analyze(work.path("own.pcapng"));
    assert.deepEqual(replay.tables, snapshot.tables);
    assert.deepEqual(replay.window, snapshot.window);
    const other = await work.analyze(tcpdumpFile);
    assert.deepEqual(withoutTimes(other), withoutTimes(snapshot));
    const frames = execFileSync("tshark", ["-r", work.path("own.pcapng"), "-T", "fields", "-e", "frame.len"]);
    const lengths = frames.toString().trim().split("\n").map(Number);
    assert.equal(lengths.length, snapshot.totals.packets);
    assert.equal(
      lengths.reduce((sum, n) => sum + n, 0),
      snapshot.totals.bytes,
    );
    const [seen] = snapshot.ledger.interfaces!;
    assert.deepEqual(seen!.residual, { packets: 0, bytes: 0 });
    assert.equal(seen!.received, snapshot.totals.packets);
    assert.equal(snapshot.ledger.dropped, 0);
    assert.equal(snapshot.ledger.complete, true);
  });

  test("the file carries names, filter and losses; tshark shows the names", async () => {
    writeFileSync(work.path("names.json"), '{"left": "10.1.1.1", "right": "10.1.1.2"}');
    const file = work.path("named.pcapng");
    const words = ["-i", "br0", "--netns", lab.bridge, "--names", work.path("names.json"), "-w", file];
    const run = await work.listen([...words, "-o", "json", "udp", "port", "9"]);
    await lab.passing(() => {
      for (const port of [9, 7, 9]) lab.a.send(udpFrame(port, 60));
    });
    const { stdout, stderr } = await run.stop("SIGTERM");
    assert.match(stderr, /: 2 packets captured, 2 received by filter, 0 dropped by kernel/);
    const live: Snapshot = JSON.parse(stdout.toString());
    const [pair] = live.tables.pairs.rows;
    assert.deepEqual([pair!.source, pair!.destination, pair!.packets], ["left", "right", 2]);
    assert.deepEqual((await work.analyze(file)).tables.pairs, live.tables.pairs);
    assert.equal((await work.analyze(file)).ledger.dropped, 0);
    // Twice over the file: its names stand behind its packets.
    const fields = ["-2", "-r", file, "-N", "n", "-T", "fields", "-e", "ip.src_host", "-e", "ip.dst_host"];
    assert.equal(execFileSync("tshark", fields).toString().split("\n")[0], "left\tright");
    const about = execFileSync("capinfos", [file]).toString();
    assert.match(about, /Name = br0/);
    assert.match(about, /Filter string = udp port 9/i);
    assert.match(about, /Number of stat entries = 1/);
    assert.match(about, /Time precision = nanoseconds/);
  });

  test("analyze -f matches what capture with the filter matched, tags or not", async () => {
    const file = work.path("all.pcapng");
    const send = () => {
      for (const tags of [[], [5], [5, 6]])
        for (const port of [7, 9]) lab.a.send(udpFrame(port, 60, 0x61, tags));
    };
    const all = await snapshotOf(["-w", file], send);
    assert.equal(all.totals.packets, 6);
    for (const [filter, packets] of [
      ["udp port 9", 3],
      ["not udp port 9", 3],
      ["vlan 5", 4],
      ["vlan 5 and vlan 6 and udp port 7", 1],
      ["tcp", 0],
      ["greater 100", 6],
    ] as const) {
      const live = await snapshotOf([filter], send);
      assert.equal(live.totals.packets, packets, filter);
      const replay = await work.analyze(file, ["-f", filter]);
      assert.deepEqual(replay.tables.protocols, live.tables.protocols, filter);
    }
    const wrong = await work.run(["analyze", file, "-f", "tcp prot 80"]);
    assert.equal(wrong.code, 5);
    assert.match(wrong.stderr, /filter "tcp prot 80": .*syntax error/);
  });

  test("-c and -a end it; ndjson has a line an interval; the last Snapshot is kept", async () => {
    const run = await work.listen([...on(), "-c", "3", "-o", "ndjson", "--interval", "0.2"]);
    lab.a.send(udpFrame(9, 60));
    await until(() => run.shown.filter(({ totals }) => totals.packets === 1).length >= 2);
    for (let i = 0; i < 5; i++) lab.a.send(udpFrame(9, 60));
    const { code, stdout } = await run.ended;
    assert.equal(code, 0);
    const counts = stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as Snapshot).totals.packets);
    assert.ok(counts.length >= 3 && counts.slice(0, -1).includes(1), String(counts));
    assert.equal(counts.at(-1), 3);
    const report = await work.run(["report", work.path("kept.pdf")]);
    assert.equal(report.code, 0, report.stderr);
    const timed = await work.run(["capture", ...on(), "-a", "duration:0.3"]);
    assert.equal(timed.code, 0);
    assert.match(timed.stdout.toString(), /complete: no packet lost/);
  });

  test("report -i writes a PDF of a live run", async () => {
    const path = work.path("live.pdf");
    const run = work.start(["report", path, ...on(), "-a", "packets:2"]);
    await run.said("listening on");
    for (let i = 0; i < 3; i++) lab.a.send(udpFrame(9, 60));
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.equal(readFileSync(path).subarray(0, 5).toString(), "%PDF-");
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  test("several interfaces at once: each told apart, in the ledger and in the file, the large frames of both whole", async () => {
    const file = work.path("several.pcapng");
    const words = ["-i", "port0", "-i", "port1", "--netns", lab.bridge, "-n", "--no-conntrack", "-o", "json"];
    const run = await work.listen([...words, "-w", file, "udp port 9"]);
    const frames = [40, 400, 1400].map((payload) => udpFrame(9, payload, payload & 0xff));
    // Each leaves by one port and comes out of the other: seen at both.
    await lab.passing(() => {
      for (const frame of frames) lab.a.send(frame);
      lab.b.send(frames[2]!);
    });
    const { code, stdout, stderr } = await run.stop();
    assert.equal(code, 0, stderr);
    const { totals, ledger }: Snapshot = JSON.parse(stdout.toString());
    assert.equal(totals.packets, 8);
    assert.deepEqual(
      ledger.interfaces!.map(({ name, packets, received, dropped }) => [name, packets, received, dropped]),
      [
        ["port0", 4, 4, 0],
        ["port1", 4, 4, 0],
      ],
    );
    const told = execFileSync("tshark", [
      "-r",
      file,
      "-T",
      "fields",
      "-e",
      "frame.interface_name",
      "-e",
      "data",
    ]);
    const payloadOf = (frame: Uint8Array) => Buffer.from(frame.subarray(42)).toString("hex");
    const expected = ["port0", "port1"].flatMap((name) =>
      [...frames, frames[2]!].map((frame) => `${name}\t${payloadOf(frame)}`),
    );
    assert.deepEqual(told.toString().trim().split("\n").sort(), expected.sort());
  });

  test("a ring of files is named, numbered and bounded as dumpcap's", async () => {
    const words = ["-Z", "root", "-w", work.path("ring.pcapng"), "-b", "packets:2", "-b", "files:3"];
    const run = await work.listen([...on(), ...words]);
    await lab.passing(() => {
      for (let i = 0; i < 9; i++) lab.a.send(udpFrame(9, 60));
    });
    assert.equal((await run.stop()).code, 0);
    const files = readdirSync(work.folder).filter((name) => name.startsWith("ring_"));
    assert.deepEqual(
      files.map((name) => name.replace(/_\d{14}\./, "_T.")),
      ["ring_00003_T.pcapng", "ring_00004_T.pcapng", "ring_00005_T.pcapng"],
    );
    const packets = await Promise.all(
      files.map(async (name) => (await work.analyze(work.path(name))).totals.packets),
    );
    assert.deepEqual(packets, [2, 2, 1]);
  });

  test("-w - goes to a pipe that another netwatch reads", async () => {
    const run = await work.listen([...on(), "-w", "-"]);
    await lab.passing(() => {
      for (let i = 0; i < 4; i++) lab.a.send(udpFrame(9, 60));
    });
    const { code, stdout } = await run.stop();
    assert.equal(code, 0);
    writeFileSync(work.path("pipe.pcapng"), stdout);
    const { totals, ledger } = await work.analyze(work.path("pipe.pcapng"));
    assert.deepEqual([totals.packets, ledger.dropped, ledger.complete], [4, 0, true]);
  });

  for (const [who, sudo, uid] of [
    ["root itself becomes the user nobody", {}, NOBODY],
    ["who called sudo", { SUDO_UID: String(SOMEONE), SUDO_GID: String(SOMEONE) }, SOMEONE],
  ] as const) {
    test(`root is given up: ${who}`, async () => {
      const folder = work.path(`of-${uid}`);
      execFileSync("install", ["-d", "-o", String(uid === NOBODY ? 0 : uid), folder]);
      execFileSync("chmod", ["755", work.folder]);
      const file = `${folder}/own.pcapng`;
      const run = await work.listen([...on(), "-w", file], {
        env: { ...process.env, ...sudo, XDG_STATE_HOME: folder },
      });
      const status = readFileSync(`/proc/${run.pid}/status`, "utf8");
      const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)![1]!;
      assert.equal(field("Uid"), [uid, uid, uid, uid].join("\t"));
      assert.equal(field("Gid"), [uid, uid, uid, uid].join("\t"));
      assert.equal(field("Groups").trim(), String(uid));
      for (const name of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
        assert.equal(field(name), "0000000000000000", name);
      assert.equal(field("NoNewPrivs"), "1");
      for (const thread of readdirSync(`/proc/${run.pid}/task`))
        assert.match(readFileSync(`/proc/${run.pid}/task/${thread}/status`, "utf8"), /^CapEff:\s*0+$/m);
      await lab.passing(() => lab.a.send(udpFrame(9, 60)));
      const { code, stderr } = await run.stop();
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /could not be kept/);
      const { mode, uid: owner } = statSync(file);
      assert.deepEqual([mode & 0o777, owner], [0o600, uid === NOBODY ? 0 : uid]);
      assert.equal((await work.analyze(file)).totals.packets, 1);
    });
  }
});
