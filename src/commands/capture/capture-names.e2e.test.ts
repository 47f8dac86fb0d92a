import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip, TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { answering, containerJson, startEngine } from "../../capture/live/engine.test.fixture.js";
import { lastSnapshot, Workplace } from "./capture.test.fixture.js";

const CONTAINERS_HERE = [containerJson("c0ffee", "web", { app: { IPAddress: "10.61.0.10" } })];

describe("names while a capture runs", { skip: reasonToSkip("ping") }, () => {
  let network: TestNetwork;
  let work: Workplace;
  let host: string;
  let first: string;

  before(() => {
    network = new TestNetwork();
    work = new Workplace();
    [host, first] = [network.add(), network.add()];
    network.ip(host, "link add br0 type bridge mcast_snooping 0");
    network.ip(host, "addr add 10.61.0.1/24 dev br0");
    network.ip(host, "link set br0 up");
    plug(first, "10.61.0.10/24", "v0");
  });
  after(async () => {
    await network.close();
    work.close();
  });

  function plug(netns: string, address: string, port: string): void {
    network.link(netns, "eth0", address, host, port, "");
    network.ip(host, `link set ${port} master br0`);
  }

  function ping(netns: string): void {
    network.run(netns, "ping", ["-q", "-c", "3", "-i", "0.05", "10.61.0.1"]);
  }

  test("a namespace that comes after the start is named, by a process that is root no longer", async () => {
    const run = await work.listen(["-i", "br0", "-o", "ndjson", "--interval", "0.2"], {}, host);
    const status = readFileSync(`/proc/${run.pid}/status`, "utf8");
    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
    assert.match(status, /^CapEff:\t0000000000000000$/m);
    const late = network.add();
    plug(late, "10.61.0.20/24", "v1");
    ping(first);
    ping(late);
    const services = ({ tables }: Snapshot) =>
      new Map([...tables.endpoints.rows].map((row) => [row.address, row.service]));
    await run.shows((snapshot) => services(snapshot).get("10.61.0.20") === late);
    const ended = await run.stop();
    assert.equal(ended.code, 0, ended.stderr);
    const last = services(lastSnapshot(ended));
    assert.deepEqual([last.get("10.61.0.10"), last.get("10.61.0.20")], [first, late]);
  });

  test("an engine that falls silent: said, counted and asked again, the capture goes on, its names hold", async () => {
    const answers = { "/containers/json": CONTAINERS_HERE, "/networks": [] };
    let silent = false;
    const engine = await startEngine((request, response) => {
      if (!silent) answering(answers)(request, response);
    });
    const env = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
    try {
      const words = ["-i", "br0", "-o", "json", "--no-conntrack", "-Z", "root"];
      const run = await work.listen(words, { env }, host);
      silent = true;
      await run.said("no answer within 2 s");
      assert.equal(run.child.exitCode, null);
      ping(first);
      const { code, stdout, stderr } = await run.stop();
      assert.equal(code, 0, stderr);
      assert.equal(stderr.split("no answer within 2 s").length, 2, "an outage is said once");
      const { tables, ledger }: Snapshot = JSON.parse(stdout.toString());
      const row = [...tables.endpoints.rows].find(({ address }) => address === "10.61.0.10");
      assert.equal(row?.service, "web");
      assert.ok(Number(row?.packets) >= 6);
      const [failed] = ledger.name_sources!.filter(({ source }) => source === engine.socket);
      assert.deepEqual([failed!.reason, failed!.failing], ["no answer within 2 s", true]);
      assert.ok(failed!.count >= 1);
    } finally {
      await engine.close();
    }
  });

  test("whatever an engine and a registry answer, every packet is taken in, and the outage is said", async () => {
    // as many values as are let through, and more bytes than are
    const address = (i: number) => ({ IPAddress: `10.7${i >> 14}.${(i >> 7) & 127}.${i & 127}` });
    const networks = Object.fromEntries(Array.from({ length: 45_000 }, (_, i) => [`n${i}`, address(i)]));
    const many = containerJson("ee", "many", networks);
    const engine = await startEngine(answering({ "/containers/json": [...CONTAINERS_HERE, many] }));
    const deep = "[".repeat(16 * 1024 * 1024);
    const registry = createServer((_, response) => response.on("error", () => {}).end(deep));
    registry.listen(0, "127.0.0.1");
    await once(registry, "listening");
    const env = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
    try {
      const { port } = registry.address() as AddressInfo;
      const words = ["-i", "br0", "--netns", host, "-o", "json", "--no-conntrack", "-Z", "root"];
      const run = await work.listen([...words, "--registry", `http://127.0.0.1:${port}`], { env });
      const ping = ["netns", "exec", first, "ping", "-q", "-c", "2000", "-i", "0.002", "10.61.0.1"];
      const sent = spawn("ip", ping, { stdio: ["ignore", "pipe", "inherit"] });
      let told = "";
      sent.stdout.on("data", (piece: Buffer) => {
        told += piece.toString();
      });
      await once(sent, "close");
      // larger than 1 MiB, or too late where the machine is busy
      await run.said(`http://127.0.0.1:${port}/: `);
      const { code, stdout, stderr } = await run.stop();
      assert.equal(code, 0, stderr);
      assert.ok(engine.asked.length >= 1);
      const { tables, ledger }: Snapshot = JSON.parse(stdout.toString());
      const answered = Number(/(\d+) received/.exec(told)?.[1]);
      assert.ok(answered > 0, told);
      const row = [...tables.protocols.rows].find(({ protocol }) => protocol === "ICMP");
      assert.ok(Number(row?.packets) >= 2 * answered, `${row?.packets} of ${answered} echoes`);
      assert.equal(ledger.dropped, 0);
    } finally {
      registry.closeAllConnections();
      registry.close();
      await engine.close();
    }
  });

  test("--network listens to the bridge of an engine's network", async () => {
    const network = { Name: "shop_app", Id: "ab".repeat(32), Driver: "bridge", IPAM: null };
    const Options = { "com.docker.network.bridge.name": "br0" };
    const answers = { "/containers/json": [], "/networks": [{ ...network, Options }] };
    const engine = await startEngine(answering(answers));
    const env = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
    try {
      const run = await work.listen(
        ["--network", "app", "-n", "-o", "json", "--no-conntrack"],
        { env },
        host,
      );
      ping(first);
      const { code, stdout, stderr } = await run.stop();
      assert.equal(code, 0, stderr);
      const { ledger }: Snapshot = JSON.parse(stdout.toString());
      assert.deepEqual([ledger.interfaces!.length, ledger.interfaces![0]!.name], [1, "br0"]);
      assert.ok(ledger.packets >= 6);
      const unknown = await work.start(["capture", "--network", "web"], { env }, host).ended;
      assert.equal(unknown.code, 4);
      assert.match(unknown.stderr, /--network: no network web; there are shop_app/);
    } finally {
      await engine.close();
    }
  });
});
