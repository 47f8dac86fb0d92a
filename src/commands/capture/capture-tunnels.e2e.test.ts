import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip, TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { type BridgeLab, createBridge } from "../../capture/live/live.test.fixture.js";
import { Workplace } from "./capture.test.fixture.js";

/** Kinds of links, and what `ip link add` wants to know beside both ends. */
const LINKS: Readonly<Record<string, (local: string, remote: string) => string>> = {
  vxlan: (local, remote) => `type vxlan id 42 local ${local} remote ${remote} dstport 4789`,
  geneve: (_, remote) => `type geneve id 42 remote ${remote}`,
  gre: (local, remote) => `type gre local ${local} remote ${remote} key 7 csum seq`,
  gretap: (local, remote) => `type gretap local ${local} remote ${remote}`,
  ipip: (local, remote) => `type ipip local ${local} remote ${remote}`,
};
const ROUNDS = 5;

/** Packets and bytes by the ends of each direction, `source destination`. */
type Directions = Map<string, { packets: number; bytes: number }>;

function count(directions: Directions, key: string, packets: number, bytes: number): void {
  const sum = directions.get(key) ?? { packets: 0, bytes: 0 };
  directions.set(key, { packets: sum.packets + packets, bytes: sum.bytes + bytes });
}

function directionsOf({ tables }: Snapshot): Directions {
  const directions: Directions = new Map();
  for (const row of tables.conversations.rows) {
    count(directions, `${row.source} ${row.destination}`, Number(row.packets), Number(row.bytes));
    count(directions, `${row.destination} ${row.source}`, Number(row.reply_packets), Number(row.reply_bytes));
  }
  return directions;
}

/** The same, by the innermost addresses that tshark finds. */
function directionsByTshark(file: string): Directions {
  const directions: Directions = new Map();
  const words = "-T fields -E occurrence=l -E separator=, -e ip.src -e ip.dst -e frame.len -Y !arp".split(
    " ",
  );
  for (const line of execFileSync("tshark", ["-r", file, ...words], { encoding: "utf8" })
    .trim()
    .split("\n")) {
    const [source, destination, length] = line.split(",");
    count(directions, `${source} ${destination}`, 1, Number(length));
  }
  return directions;
}

describe("netwatch capture --decapsulate", { skip: reasonToSkip("tshark") }, () => {
  let network: TestNetwork;
  let lab: BridgeLab;
  let work: Workplace;

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

  /** Both ends of a link of this kind, 172.16.9.1 and .2. False: the kernel has none. */
  function link(kind: string): boolean {
    for (const [i, end] of lab.ends.entries()) {
      const words = LINKS[kind]!(`10.9.0.${i + 1}`, `10.9.0.${2 - i}`);
      try {
        network.ip(end, `link add tun0 ${words}`);
      } catch {
        return false;
      }
      network.ip(end, `addr add 172.16.9.${i + 1}/24 dev tun0`);
      network.ip(end, "link set tun0 up");
    }
    return true;
  }

  for (const kind of Object.keys(LINKS))
    test(`${kind}: live tables are those of the ends inside, as tshark finds them, and a replay's are the same`, async (t) => {
      if (!link(kind)) {
        t.skip(`the kernel has no links of type ${kind}`);
        return;
      }
      const [a, b] = lab.ends;
      const server = await network.start(
        b,
        `require("net").createServer((c) => c.on("data", () => c.end("+PONG\\r\\n"))).listen(6379, "172.16.9.2", () => console.log());`,
      );
      const file = work.path(`${kind}.pcapng`);
      const words = [
        "-i",
        "br0",
        "--netns",
        lab.bridge,
        "-n",
        "--no-conntrack",
        "--decapsulate",
        "-o",
        "json",
        "-w",
        file,
      ];
      const run = await work.listen([...words, "ip"]);
      network.script(
        a,
        `let open = ${ROUNDS};
        const connect = () => open-- > 0 && require("net").connect(6379, "172.16.9.2")
          .on("data", () => {}).on("close", connect).end("PING\\r\\n");
        connect();`,
      );
      server.kill();
      const { code, stdout, stderr } = await run.stop();
      for (const end of lab.ends) network.ip(end, "link del tun0");
      assert.equal(code, 0, stderr);
      const snapshot: Snapshot = JSON.parse(stdout.toString());
      const name = { gretap: "gre" }[kind] ?? kind;
      const directions = directionsOf(snapshot);
      assert.deepEqual([...directions.keys()].sort(), ["172.16.9.1 172.16.9.2", "172.16.9.2 172.16.9.1"]);
      assert.deepEqual(directions, directionsByTshark(file));
      assert.equal([...snapshot.tables.redis!.rows][0]?.requests, ROUNDS);
      assert.deepEqual(snapshot.ledger.decapsulated, [{ kind: name, packets: snapshot.totals.packets }]);
      assert.equal(snapshot.ledger.tunnels, undefined);
      const replay = await work.analyze(file, ["--decapsulate", "-n"]);
      assert.deepEqual(replay.tables, snapshot.tables);
      const closed = await work.analyze(file, ["-n"]);
      assert.deepEqual(closed.totals, snapshot.totals);
      assert.ok([...directionsOf(closed).keys()].every((key) => key.startsWith("10.9.0.")));
      assert.deepEqual(closed.ledger.tunnels, snapshot.ledger.decapsulated);
    });
});
