import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { reasonToSkip, withTestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { createBridge } from "../../capture/live/live.test.fixture.js";
import { Workplace } from "../../commands/capture/capture.test.fixture.js";
import type { Row, Snapshot } from "../snapshot/snapshot.js";

const skip = reasonToSkip("nft", "tshark", "sysctl");

const [CLIENT, SERVER] = ["10.9.0.1", "10.9.0.2"] as const;
/** Takes all that is sent, slowly for a while (8081), hangs up at once (8082), or answers an HTTP request after 50 ms (8083). */
const SERVERS = `
  const net = require("node:net");
  const listen = (port, serve) => net.createServer(serve).listen(port, "${SERVER}");
  listen(8080, (socket) => socket.on("error", () => {}).resume());
  listen(8081, (socket) => { socket.on("error", () => {}); setTimeout(() => socket.resume(), 1000); });
  listen(8082, (socket) => socket.on("error", () => {}).once("data", () => socket.resetAndDestroy()));
  require("node:http").createServer((request, response) => setTimeout(() => {
    response.statusCode = request.url.startsWith("/broken") ? 503 : 200;
    response.end("ok");
  }, 50)).listen(8083, "${SERVER}", () => console.log("ready"));`;

/** Sends so many bytes to a port and waits until the other side has hung up, or there is none; or gives up. */
const send = (port: number, bytes: number, giveUpMs?: number) => `
  const socket = require("node:net").connect(${port}, "${SERVER}", () => socket.end(Buffer.alloc(${bytes})));
  socket.on("error", () => {}).resume();
  ${giveUpMs === undefined ? "" : `setTimeout(() => socket.destroy(), ${giveUpMs});`}`;

const REQUESTS = `
  (async () => {
    const agent = new (require("node:http").Agent)({ keepAlive: true });
    for (let i = 0; i < 20; i++) await new Promise((resolve) => require("node:http")
      .get({ host: "${SERVER}", port: 8083, path: (i < 5 ? "/broken/" : "/items/") + i + "?key=s3cret", agent },
        (response) => response.resume().on("end", resolve)));
    agent.destroy();
  })();`;

/** Every tenth segment that carries something is dropped on its way in, and every SYN to port 8084. */
const FAULTS = `
  table ip faults {
    counter dropped {}
    chain in {
      type filter hook input priority 0;
      tcp dport 8080 ip length > 200 numgen inc mod 10 == 9 counter name dropped drop
      tcp dport 8084 drop
    }
  }`;

const tcpRow = (snapshot: Snapshot): Row =>
  [...snapshot.tables.tcp.rows].find((row) => row.source === CLIENT && row.destination === SERVER)!;

/** How often tshark says it of a file. */
function tshark(file: string, filter: string): number {
  const { stdout } = spawnSync("tshark", ["-n", "-r", file, "-Y", filter], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line !== "").length;
}

test("faults made in namespaces are found: loss, a reader that stops, refusals, silence, resets, errors", {
  skip,
}, async () => {
  const place = new Workplace();
  try {
    await withTestNetwork(async (network) => {
      const { bridge, ends, ...lab } = createBridge(network);
      await network.start(ends[1], SERVERS);
      network.nft(ends[1], FAULTS);
      const file = place.path("faults.pcapng");
      const capture = await place.listen(["-i", "br0", "--netns", bridge, "-w", file, "-s", "65535"]);
      await lab.passing(() => {
        network.script(ends[0], send(8080, 1_000_000));
        network.script(ends[0], send(8081, 8_000_000));
        network.script(ends[0], send(8082, 1000));
        network.script(ends[0], send(8084, 10, 1500)); // its SYN twice
        network.script(ends[0], send(8085, 10));
        network.script(ends[0], REQUESTS);
      });
      assert.equal((await capture.stop()).code, 0);
      lab.close();
      const dropped = Number(
        /packets (\d+)/.exec(network.run(ends[1], "nft", ["list", "counter", "ip", "faults", "dropped"]))![1],
      );
      const snapshot = await place.analyze(file, ["-n"]);
      const row = tcpRow(snapshot);
      assert.ok(
        dropped > 0 && Number(row.retransmissions) >= dropped,
        `${dropped} dropped, ${row.retransmissions} found`,
      );
      assert.equal(row.retransmissions, tshark(file, "tcp.analysis.retransmission"));
      assert.equal(row.fast_retransmissions, tshark(file, "tcp.analysis.fast_retransmission"));
      assert.equal(row.out_of_order, tshark(file, "tcp.analysis.out_of_order"));
      assert.equal(row.duplicate_acks, tshark(file, "tcp.analysis.duplicate_ack"));
      assert.equal(row.zero_windows, tshark(file, "tcp.analysis.zero_window"));
      assert.equal(row.resets, tshark(file, "tcp.flags.reset == 1"));
      assert.ok(Number(row.zero_windows) > 0 && Number(row.zero_window_ms) > 100, "the reader stopped");
      assert.deepEqual([row.refused, row.half_open], [1, 1]);
      const states = [...snapshot.tables.conversations.rows].map((of) => [of.destination_port, of.tcp_state]);
      assert.deepEqual(
        states.filter(([port]) => Number(port) !== 8081).sort(([x], [y]) => Number(x) - Number(y)),
        [
          [8080, "SF"],
          [8082, "RSTR"],
          [8083, "SF"],
          [8084, "S0"],
          [8085, "REJ"],
        ],
      );
      const http = [...snapshot.tables.http!.rows];
      assert.deepEqual(
        http.map((of) => [of.operation, of.requests, of.errors, of.status_5xx, of.unanswered]),
        [
          ["GET /items/{id}", 15, 0, 0, 0],
          ["GET /broken/{id}", 5, 5, 5, 0],
        ],
      );
      for (const of of http) assert.ok(Number(of.p50_ms) >= 45, `${of.operation} took ${of.p50_ms} ms`);
      assert.ok(!JSON.stringify(snapshot).includes("s3cret"));
    });
  } finally {
    place.close();
  }
});
