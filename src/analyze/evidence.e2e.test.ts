import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { ConntrackPoller } from "../capture/conntrack/tracker.js";
import { openFile } from "../capture/file/bytes.js";
import { CaptureReader, readPackets } from "../capture/file/file.js";
import { reasonToSkip, type TestNetwork, withTestNetwork } from "../capture/kernel/netns.test.fixture.js";
import { parseCidr } from "../net.js";
import { until } from "../until.test.fixture.js";
import { Analyzer } from "./analyzer.js";
import type { CaptureFacts } from "./evidence.js";
import { buildSnapshot } from "./snapshot/build.js";
import type { Row } from "./snapshot/snapshot.js";

const skip = reasonToSkip("nft", "sysctl", "tcpdump", "conntrack");
/** What two clocks may be apart before a moment counts as earlier, and some more. */
const EARLIER_S = 4;

const SERVER = `
  require("node:net").createServer((socket) => socket.on("error", () => {}).resume())
    .listen(80, "::", () => console.log("ready"));`;

/** Connects and holds the connection; with `talk` sends a byte ten times a second. */
const connect = (host: string, port: number) => `
  const socket = require("node:net").connect(${port}, "${host}", () => console.log("ready"));
  socket.on("error", () => {});`;

/** Sends one datagram. */
const datagram = (host: string, port: number) => `
  const socket = require("node:dgram").createSocket("udp4");
  socket.send("x", ${port}, "${host}", () => socket.close());`;

/** tcpdump in a namespace, until told to stop. Gives what it wrote, counted. */
class Recording {
  readonly #child: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), "netwatch-test-"));
  readonly #file = join(this.#folder, "capture.pcap");
  #said = "";
  startUs = 0;
  endUs = 0;

  constructor(netns: string, device: string, filter: string) {
    const words = [
      "netns",
      "exec",
      netns,
      "tcpdump",
      "-i",
      device,
      "-U",
      "--immediate-mode",
      "-Z",
      "root",
      "-w",
      this.#file,
    ];
    this.#child = spawn("ip", [...words, filter], { stdio: ["ignore", "ignore", "pipe"] });
  }

  async ready(): Promise<void> {
    this.#child.stderr!.on("data", (text: Buffer) => (this.#said += text.toString()));
    await until(() => this.#said.includes("listening on"));
    this.startUs = Date.now() * 1000;
  }

  /** Whether it has written all that the kernel has for it: it says so when it is asked. */
  #hasCaughtUp(): boolean {
    const last = [...this.#said.matchAll(/(\d+) packets? captured\D+(\d+) packets? received by filter/g)].at(
      -1,
    );
    this.#child.kill("SIGUSR1");
    return last !== undefined && Number(last[1]) > 0 && last[1] === last[2];
  }

  async stop(): Promise<Analyzer> {
    await until(() => this.#hasCaughtUp());
    this.endUs = Date.now() * 1000;
    this.#child.kill("SIGINT");
    await once(this.#child, "exit");
    const analyzer = new Analyzer();
    const reader = await CaptureReader.open(this.#file, openFile(this.#file));
    await readPackets(
      [reader],
      (packet) => analyzer.add(packet),
      () => analyzer.flush(),
    );
    reader.close();
    return analyzer;
  }

  discard(): void {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function record(netns: string, device: string, filter: string): Promise<Recording> {
  const recording = new Recording(netns, device, filter);
  await recording.ready();
  return recording;
}

/** A bridge in a namespace of its own, with an address, and two hosts at its ports; the bridge tracks and translates. */
function bridged(network: TestNetwork): { bridge: string; left: string; right: string } {
  const [bridge, left, right] = [network.add(), network.add(), network.add()];
  network.ip(bridge, "link add br0 type bridge");
  network.ip(bridge, "addr add 10.8.0.1/24 dev br0");
  network.ip(bridge, "link set br0 up");
  for (const [netns, port, address] of [
    [left, "p1", "10.8.0.2/24"],
    [right, "p2", "10.8.0.3/24"],
  ] as const) {
    network.link(netns, "eth0", address, bridge, port, "");
    network.ip(bridge, `link set ${port} master br0`);
    network.ip(netns, "route add default via 10.8.0.1");
  }
  network.set(bridge, "net.ipv4.ip_forward", 1);
  network.nft(
    bridge,
    `table ip t {
       chain raw { type filter hook prerouting priority -300; udp dport 9999 notrack; }
       chain pre { type nat hook prerouting priority -100; ip daddr 10.8.0.1 tcp dport 8080 dnat to 10.8.0.3:80; }
       chain post { type nat hook postrouting priority 100; ct status dnat masquerade; }
       chain out { type filter hook output priority 0; ct state new counter; }
     }`,
  );
  return { bridge, left, right };
}

/** Turns br_netfilter for the namespace on or off. False: the kernel has none. */
function passBridged(network: TestNetwork, netns: string, on: boolean): boolean {
  if (!existsSync("/proc/sys/net/bridge/bridge-nf-call-iptables")) return false;
  network.set(netns, "net.bridge.bridge-nf-call-iptables", on ? 1 : 0);
  return true;
}

const listed = (network: TestNetwork, netns: string) => network.run(netns, "conntrack", ["-L"]);

/** How long ago the established connection with these words in its entry was heard of last: the kernel counts down. */
function secondsSince(network: TestNetwork, netns: string, words: string): number {
  const timeout = Number(
    network.run(netns, "cat", ["/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_established"]),
  );
  const line = listed(network, netns)
    .split("\n")
    .find((entry) => entry.includes(words) && entry.includes("ESTABLISHED"));
  return line === undefined ? 0 : timeout - Number(/^tcp +6 (\d+)/.exec(line)![1]);
}

/** Polls the namespaces and judges what was recorded. */
async function judge(
  analyzer: Analyzer,
  netns: readonly string[],
  facts: Pick<CaptureFacts, "netns" | "bridge" | "startUs" | "endUs"> & Partial<CaptureFacts>,
): Promise<{ rows: Row[]; conversations: Row[] }> {
  const trackers = netns.map((name) => ConntrackPoller.open(name));
  for (const tracker of trackers) {
    await tracker.poll(async () => {});
    assert.equal(tracker.problem, null);
  }
  const capture: CaptureFacts = {
    networks: [parseCidr("10.8.0.0/24")!],
    ownAddresses: new Set(["10.8.0.1"]),
    pollUs: Date.now() * 1000,
    gap: false,
    ...facts,
  };
  const conntrack = { namespaces: trackers, capture };
  const snapshot = buildSnapshot(analyzer, {
    producer: "test",
    files: [],
    dropped: 0,
    names: null,
    conntrack,
  });
  const rows = [...snapshot.conntrack!.connections.rows];
  const conversations = [...snapshot.tables.conversations.rows];
  for (const tracker of trackers) tracker.close();
  return { rows, conversations };
}

/** Verdict and cause of the connections to an address and port, each once. */
function verdicts(rows: readonly Row[], destination: string, port: number): string[] {
  const matching = rows.filter((row) => row.destination === destination && row.destination_port === port);
  return [
    ...new Set(matching.map((row) => [row.verdict, row.cause].filter((text) => text !== null).join(" "))),
  ];
}

test(
  "on a bridge: both, same-bridge, untracked, began-before, other-interface, capture-gap",
  { skip, timeout: 600_000 },
  () =>
    withTestNetwork(async (network) => {
      const { bridge, left, right } = bridged(network);
      const passes = passBridged(network, bridge, false);
      await network.start(right, SERVER);
      await network.start(bridge, SERVER);
      await network.start(left, connect("10.8.0.1", 80)); // idle from now on
      await until(() => secondsSince(network, bridge, "dport=80 ") >= EARLIER_S);
      const recording = await record(bridge, "br0", "not port 5555");
      try {
        await network.start(left, connect("10.8.0.1", 8080));
        await network.start(left, connect("10.8.0.3", 80));
        await network.start(bridge, connect("127.0.0.1", 80));
        network.script(left, datagram("10.8.0.1", 9999));
        network.script(left, datagram("10.8.0.1", 5555));
        const analyzer = await recording.stop();
        const { startUs, endUs } = recording;
        const { rows, conversations } = await judge(analyzer, [bridge], {
          netns: bridge,
          bridge: true,
          startUs,
          endUs,
          gap: true,
        });
        assert.deepEqual(verdicts(rows, "10.8.0.1", 8080), ["both"]);
        assert.deepEqual(verdicts(rows, "10.8.0.3", 80), ["wire-only same-bridge"], String(passes));
        assert.deepEqual(verdicts(rows, "10.8.0.1", 9999), ["wire-only untracked"]);
        assert.deepEqual(verdicts(rows, "10.8.0.1", 80), ["conntrack-only began-before"]);
        assert.deepEqual(verdicts(rows, "127.0.0.1", 80), ["conntrack-only other-interface"]);
        assert.deepEqual(verdicts(rows, "10.8.0.1", 5555), ["conntrack-only capture-gap"]);

        const translated = rows.filter((row) => row.destination_port === 8080);
        assert.equal(translated.length, 1, "one connection is one row");
        const { nat, server, server_port, seen_as, legs } = translated[0]!;
        assert.deepEqual(
          [nat, server, server_port, seen_as, legs],
          ["DNAT+SNAT", "10.8.0.3", 80, "10.8.0.1", 2],
        );
        const legRows = conversations.filter((row) => row.nat === "DNAT+SNAT");
        assert.deepEqual(
          legRows.map((row) => row.nat_destination),
          ["10.8.0.1:8080", "10.8.0.1:8080"],
        );
      } finally {
        recording.discard();
      }
    }),
);

test("bridged packets that pass the IP hooks are seen by both", { skip, timeout: 600_000 }, (t) =>
  withTestNetwork(async (network) => {
    const { bridge, left, right } = bridged(network);
    if (!passBridged(network, bridge, true)) return t.skip("the kernel has no br_netfilter");
    await network.start(right, SERVER);
    const recording = await record(bridge, "br0", "ip");
    try {
      await network.start(left, connect("10.8.0.3", 80));
      const analyzer = await recording.stop();
      const { startUs, endUs } = recording;
      const { rows } = await judge(analyzer, [bridge], { netns: bridge, bridge: true, startUs, endUs });
      assert.deepEqual(verdicts(rows, "10.8.0.3", 80), ["both"]);
    } finally {
      recording.discard();
    }
  }),
);

test(
  "at a host: no-tracking, other-namespace both ways, between-polls, after-capture",
  { skip, timeout: 600_000 },
  () =>
    withTestNetwork(async (network) => {
      const { bridge, left, right } = bridged(network);
      passBridged(network, bridge, false);
      network.set(bridge, "net.netfilter.nf_conntrack_udp_timeout", 1);
      await network.start(right, SERVER);
      const atHost = await record(right, "eth0", "ip");
      const atBridge = await record(bridge, "br0", "ip");
      try {
        await network.start(left, connect("10.8.0.3", 80));
        network.script(left, datagram("10.8.0.1", 7777));
        const host = await atHost.stop();
        const { startUs, endUs } = atHost;
        const own = new Set(["10.8.0.3"]);
        const place = { netns: right, bridge: false, startUs, endUs, ownAddresses: own };
        const alone = await judge(host, [right], place);
        assert.deepEqual(verdicts(alone.rows, "10.8.0.3", 80), ["wire-only no-tracking"]);
        const elsewhere = await judge(host, [bridge], place);
        assert.deepEqual(verdicts(elsewhere.rows, "10.8.0.3", 80), ["wire-only other-namespace"]);

        const bridgeFlows = await atBridge.stop();
        await until(() => !listed(network, bridge).includes("dport=7777 "));
        await until(() => Date.now() * 1000 > atBridge.endUs + EARLIER_S * 1e6);
        network.set(bridge, "net.netfilter.nf_conntrack_udp_timeout", 30);
        network.script(left, datagram("10.8.0.1", 6666));
        const facts = { netns: bridge, bridge: true, startUs: atBridge.startUs, endUs: atBridge.endUs };
        const late = await judge(bridgeFlows, [bridge], facts);
        assert.deepEqual(verdicts(late.rows, "10.8.0.1", 6666), ["conntrack-only after-capture"]);
        const both = await judge(host, [right, bridge], place);
        assert.deepEqual(verdicts(both.rows, "10.8.0.1", 6666), ["conntrack-only other-namespace"]);
        network.set(bridge, "net.netfilter.nf_conntrack_udp_timeout", 1);
        const forgotten = await judge(bridgeFlows, [bridge], facts);
        assert.deepEqual(verdicts(forgotten.rows, "10.8.0.1", 7777), ["wire-only between-polls"]);
      } finally {
        atHost.discard();
        atBridge.discard();
      }
    }),
);
