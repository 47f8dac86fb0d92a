import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Row, Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip, TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { until } from "../../until.test.fixture.js";
import { type Ended, Workplace } from "./capture.test.fixture.js";

const PASS = "net.bridge.bridge-nf-call-iptables";
const hasBrNetfilter = existsSync(`/proc/sys/${PASS.replaceAll(".", "/")}`);

const SERVER = `require("node:net").createServer((socket) => socket.on("error", () => {}).resume())
  .listen(80, "0.0.0.0", () => console.log("ready"));`;
const connect = (host: string, port: number) => `const socket = require("node:net")
  .connect(${port}, "${host}", () => socket.write("hello", () => console.log("ready")));`;

describe("connection tracking beside a capture", { skip: reasonToSkip("nft", "sysctl", "setpriv") }, () => {
  let network: TestNetwork;
  let work: Workplace;
  let host: string;
  let left: string;
  let right: string;

  before(async () => {
    network = new TestNetwork();
    work = new Workplace();
    [host, left, right] = [network.add(), network.add(), network.add()];
    network.ip(host, "link add br0 type bridge mcast_snooping 0");
    network.ip(host, "addr add 10.62.0.1/24 dev br0");
    network.ip(host, "link set br0 up");
    for (const [netns, port, address] of [
      [left, "p1", "10.62.0.2/24"],
      [right, "p2", "10.62.0.3/24"],
    ] as const) {
      network.link(netns, "eth0", address, host, port, "");
      network.ip(host, `link set ${port} master br0`);
    }
    network.nft(
      host,
      "table ip t { chain in { type filter hook input priority 0; ct state new counter; }; }",
    );
    network.set(host, "net.netfilter.nf_conntrack_acct", 1);
    if (hasBrNetfilter) network.set(host, PASS, 0);
    for (const netns of [host, right]) await network.start(netns, SERVER);
  });
  after(async () => {
    await network.close();
    work.close();
  });

  /** All that was sent has been acknowledged, so it has passed the bridge. */
  const isQuiet = () => ![host, left, right].some((netns) => network.isBusy(netns));

  /** A capture on the bridge, with a connection to the host and one from port to port of the bridge. */
  async function run(words: readonly string[]): Promise<Ended> {
    const running = await work.listen(["-i", "br0", "--netns", host, "-n", ...words]);
    for (const address of ["10.62.0.1", "10.62.0.3"]) await network.start(left, connect(address, 80));
    await until(isQuiet);
    return await running.stop();
  }

  const to = (rows: Iterable<Row>, address: string) =>
    [...rows].filter((row) => row.transport === "TCP" && row.destination === address)[0]!;

  test("what is routed is seen by both, what the bridge switches on the wire only", async () => {
    const { code, stdout, stderr } = await run(["-o", "json"]);
    assert.equal(code, 0, stderr);
    const { tables, conntrack }: Snapshot = JSON.parse(stdout.toString());
    const { conversations } = tables;
    const verdict = ({ verdict, cause }: Row) => [verdict, cause];
    assert.deepEqual(verdict(to(conversations.rows, "10.62.0.1")), ["both", null]);
    assert.deepEqual(verdict(to(conversations.rows, "10.62.0.3")), ["wire-only", "same-bridge"]);
    const joined = to(conntrack!.connections.rows, "10.62.0.1");
    assert.equal(joined.tracked_packets, joined.packets);
    const { connections, packets, tracked_packets } = conntrack!.counted!;
    assert.deepEqual([connections, tracked_packets], [1, packets]);
  });

  test("the summary says who saw what, and why", async () => {
    const { stdout } = await run(["tcp"]);
    const text = stdout.toString().replaceAll(/\s+/g, " ");
    assert.match(
      text,
      /Seen by both 1, on the wire only 1: br_netfilter is off, so what the bridge switches is not tracked/,
    );
    assert.match(text, /Of 1 connection seen whole: (\d+) packets on the wire, \1 counted/);
  });

  test("what bridged packets pass is tracked too", { skip: !hasBrNetfilter }, async () => {
    network.set(host, PASS, 1);
    network.nft(
      host,
      "table ip u { chain f { type filter hook forward priority 0; ct state new counter; }; }",
    );
    try {
      const { tables }: Snapshot = JSON.parse((await run(["-o", "json"])).stdout.toString());
      assert.equal(to(tables.conversations.rows, "10.62.0.3").verdict, "both");
    } finally {
      network.set(host, PASS, 0);
    }
  });

  test("--no-conntrack leaves it out", async () => {
    const off: Snapshot = JSON.parse((await run(["-o", "json", "--no-conntrack"])).stdout.toString());
    assert.equal(off.conntrack, undefined);
    const names = off.tables.conversations.columns.map(({ name }) => name);
    assert.ok(!names.includes("verdict"));
  });

  test("without CAP_NET_ADMIN it is said what is missing and how to have it; packets are taken all the same", async () => {
    const only = (kind: string) => [`--${kind}`, "-all,+net_raw"];
    const setpriv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const through = [...setpriv, ...["inh-caps", "ambient-caps", "bounding-set"].flatMap(only)];
    const env = { ...process.env, XDG_STATE_HOME: "/nonexistent" };
    const words = ["capture", "-i", "br0", "-n", "-o", "json"];
    const running = work.startOutside(words, { env }, host, through);
    await running.said("listening on");
    await network.start(left, connect("10.62.0.1", 80));
    await until(isQuiet);
    const { code, stdout, stderr } = await running.stop();
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /without connection tracking: reading it needs CAP_NET_ADMIN: run `sudo netwatch capture -i br0 -n -o json`/,
    );
    const { totals, conntrack }: Snapshot = JSON.parse(stdout.toString());
    assert.ok(totals.packets >= 3);
    assert.equal(conntrack, undefined);
  });

  test("once it is open, tracking is polled without a capability in the process that reads packets", async () => {
    const running = await work.listen([
      "-i",
      "br0",
      "--netns",
      host,
      "-n",
      "-o",
      "ndjson",
      "--interval",
      "0.2",
    ]);
    const status = readFileSync(`/proc/${running.pid}/status`, "utf8");
    assert.match(status, /^Uid:\t65534\t/m);
    assert.match(status, /^CapPrm:\t0000000000000000$/m);
    await until(() => running.shown.length >= 2);
    const { stdout, stderr } = await running.stop();
    const lines = stdout.toString().trim().split("\n");
    assert.ok(lines.length >= 2);
    for (const line of lines) {
      const [namespace] = (JSON.parse(line) as Snapshot).conntrack!.namespaces;
      assert.deepEqual([namespace!.netns, namespace!.problem], [host, null], stderr);
    }
  });
});
