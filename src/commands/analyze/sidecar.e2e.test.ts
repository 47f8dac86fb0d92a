import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip, TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import type { SidecarLine } from "../../engine/recording/sidecar-lines.js";
import { until } from "../../until.test.fixture.js";
import { Workplace } from "../capture/capture.test.fixture.js";
import { readSidecar } from "./sidecar-reader.js";

/** More than the hundredths of a second that the kernel stamps addresses with, so that moments are told apart. */
const APART_MS = 100;

/** The whole lines so far. */
function linesOf(sidecar: string): SidecarLine[] {
  const lines = readFileSync(sidecar, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/** Who holds the address now, by the last names that were written. */
function holderOf(sidecar: string, address: string): string | undefined {
  const names = linesOf(sidecar).findLast((line) => line.kind === "names");
  return names?.holdings.find((holding) => holding.address === address && holding.to_us === null)?.name;
}

describe("a capture with its sidecar", { skip: reasonToSkip("nft", "ping") }, () => {
  let network: TestNetwork;
  let work: Workplace;
  let host: string;
  let first: string;
  let second: string;

  before(async () => {
    network = new TestNetwork();
    work = new Workplace();
    [host, first, second] = [network.add(), network.add(), network.add()];
    network.ip(host, "link add br0 type bridge mcast_snooping 0");
    network.ip(host, "addr add 10.63.0.1/24 dev br0");
    network.ip(host, "link set br0 up");
    [first, second].forEach((netns, i) => {
      network.link(netns, "eth0", `10.63.0.${10 + i}/24`, host, `v${i}`, "");
      network.ip(host, `link set v${i} master br0`);
    });
    network.nft(
      host,
      "table ip t { chain in { type filter hook input priority 0; ct state new counter; }; }",
    );
    await network.start(
      host,
      `require("node:net").createServer((socket) => socket.on("error", () => {}).end("hello").resume())
        .listen(80, "0.0.0.0", () => console.log("ready"));`,
    );
  });
  after(async () => {
    await network.close();
    work.close();
  });

  const connect = (netns: string) =>
    network.script(
      netns,
      `require("node:net").connect({ host: "10.63.0.1", port: 80, localAddress: "10.63.0.99" }).end("hello").resume();`,
    );

  test("replayed, it equals the live run: an address that moved, who saw what", async () => {
    const [file, sidecar] = [work.path("moved.pcapng"), work.path("moved.ndjson")];
    const run = await work.listen(["-i", "br0", "-o", "json", "-w", file, "--sidecar", sidecar], {}, host);
    network.ip(first, "addr add 10.63.0.99/24 dev eth0");
    await setTimeout(APART_MS);
    connect(first);
    await until(() => holderOf(sidecar, "10.63.0.99") === first);
    network.ip(first, "addr del 10.63.0.99/24 dev eth0");
    network.ip(first, "neigh flush all");
    network.ip(host, "neigh flush dev br0");
    await setTimeout(APART_MS);
    network.ip(second, "addr add 10.63.0.99/24 dev eth0");
    await setTimeout(APART_MS);
    connect(second);
    await until(() => holderOf(sidecar, "10.63.0.99") === second);
    await until(() => linesOf(sidecar).filter(({ kind }) => kind === "conntrack").length >= 5);
    const { code, stdout, stderr } = await run.stop();
    assert.equal(code, 0, stderr);
    const live: Snapshot = JSON.parse(stdout.toString());
    const rows = [...live.tables.conversations.rows].filter((row) => row.source_address === "10.63.0.99");
    assert.deepEqual(new Set(rows.map((row) => row.source)), new Set([first, second]));
    assert.ok(rows.some((row) => row.verdict === "both"));

    const replay = await work.analyze(file, ["--sidecar", sidecar]);
    assert.deepEqual(replay.tables, live.tables);
    assert.deepEqual(replay.conntrack, live.conntrack);
    assert.deepEqual(
      [replay.named, replay.window, replay.findings],
      [live.named, live.window, live.findings],
    );
    const alone = await work.analyze(file);
    assert.notDeepEqual(alone.tables, live.tables);
    assert.equal(statSync(sidecar).mode & 0o777, 0o600);
    const kinds = linesOf(sidecar).map(({ kind }) => kind);
    assert.ok(kinds.filter((kind) => kind === "names").length >= 3, String(kinds));
    assert.equal(kinds.at(-1), "conntrack");
    // Nothing is shown while it runs; every poll is written all the same.
    assert.ok(kinds.filter((kind) => kind === "conntrack").length >= 5, String(kinds));
    const report = await work.run(["report", work.path("moved.pdf"), "-r", file, "--sidecar", sidecar]);
    assert.equal(report.code, 0, report.stderr);
  });

  test("health is asked for and written, and a container of the last second is named", async () => {
    const [file, sidecar, names] = [work.path("h.pcapng"), work.path("h.ndjson"), work.path("names.json")];
    writeFileSync(names, JSON.stringify({ web: "10.63.0.1:80", closed: "10.63.0.1:81" }));
    const words = ["-i", "br0", "-o", "json", "-w", file, "--sidecar", sidecar, "--health", "--names", names];
    const run = await work.listen([...words, "--interval", "30"], {}, host);
    await until(() => linesOf(sidecar).some(({ kind }) => kind === "health"));
    const late = network.add();
    network.link(late, "eth0", "10.63.0.77/24", host, "v7", "");
    network.ip(host, "link set v7 master br0");
    network.run(late, "ping", ["-q", "-c", "1", "10.63.0.1"]);
    const { code, stdout, stderr } = await run.stop();
    assert.equal(code, 0, stderr);
    const { tables }: Snapshot = JSON.parse(stdout.toString());
    const row = [...tables.endpoints.rows].find(({ address }) => address === "10.63.0.77");
    assert.equal(row?.service, late);
    const { health } = await readSidecar(sidecar);
    assert.deepEqual(
      health!.targets.map(({ service, state, reason }) => [service, state, reason]),
      [
        ["web", "up", null],
        ["closed", "down", "nobody listens"],
      ],
    );
  });

  test("--health wants a sidecar to be written to, and names to ask", async () => {
    const { code, stderr } = await work.run(["capture", "-i", "br0", "--health"]);
    assert.equal(code, 2);
    assert.match(stderr, /--health asks the services that --names FILE lists/);
  });

  test("--sidecar wants the packets beside it", async () => {
    const { code, stderr } = await work.run(["capture", "-i", "br0", "--sidecar", work.path("x")]);
    assert.equal(code, 2);
    assert.match(stderr, /name those with -w/);
  });
});
