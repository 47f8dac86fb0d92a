import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NetlinkFamily, openNetlink } from "../kernel/netlink.js";
import { NetnsError, netnsId, withNetns } from "../kernel/netns.js";
import { reasonToSkip, type TestNetwork, withTestNetwork } from "../kernel/netns.test.fixture.js";
import { SocketReader, SocketWord, TcpState } from "../kernel/sockets.js";
import { ConntrackReader } from "./conntrack.js";
import { ConntrackFactsReader } from "./conntrack-facts.js";
import { type ConntrackEntry, ConntrackTable } from "./conntrack-table.js";
import { parseConntrackText } from "./conntrack-text.js";

const skip = reasonToSkip("conntrack", "nft", "ss", "sysctl");
const MANY = 50_000;
/** NFNLGRP_CONNTRACK_NEW (linux/netfilter/nfnetlink_compat.h). */
const NEW_ENTRIES = 1;

const SERVER = `
  const net = require("node:net");
  net.createServer((socket) => socket.on("error", () => {}).resume()).listen(80, "::", () => console.log("ready"));`;

/** Connects `count` times, says so, and holds the connections. */
function client(host: string, port: number, count: number): string {
  return `
    const net = require("node:net");
    let open = 0;
    for (let i = 0; i < ${count}; i++)
      net.connect(${port}, "${host}", () => { if (++open === ${count}) console.log("ready"); }).on("error", () => {});`;
}

function listed(text: string): ConntrackEntry[] {
  const table = new ConntrackTable();
  assert.equal(parseConntrackText(text, table).odd, 0);
  return entriesOf(table);
}

function entriesOf(table: ConntrackTable): ConntrackEntry[] {
  return Array.from({ length: table.count }, (_, entry) => table.read(entry));
}

/** By protocol and tuple, without what moves on between two readings. */
function comparable(entries: readonly ConntrackEntry[]): Map<string, unknown> {
  return new Map(
    entries.map(({ timeout, ...entry }) => [
      JSON.stringify([entry.protocol, entry.orig]),
      { ...entry, has: timeout !== null },
    ]),
  );
}

function read(netns: string): ConntrackEntry[] {
  const reader = ConntrackReader.open(netns);
  try {
    assert.equal(reader.read(), true);
    assert.equal(reader.malformed, 0);
    return entriesOf(reader.table);
  } finally {
    reader.close();
  }
}

interface Routed {
  readonly outside: string;
  readonly router: string;
  readonly server: string;
}

/** A client, a router that translates port 8080 to the server's 80 and hides all sources, and the server. */
function route(network: TestNetwork): Routed {
  const [outside, router, server] = [network.add(), network.add(), network.add()];
  network.link(outside, "vc", "10.9.1.2/24 fd00:1::2/64", router, "rc", "10.9.1.1/24 fd00:1::1/64");
  network.link(server, "vs", "10.9.2.2/24 fd00:2::2/64", router, "rs", "10.9.2.1/24 fd00:2::1/64");
  network.ip(outside, "route add default via 10.9.1.1");
  network.ip(server, "route add default via 10.9.2.1");
  network.ip(outside, "-6 route add default via fd00:1::1");
  network.ip(server, "-6 route add default via fd00:2::1");
  network.set(router, "net.ipv4.ip_forward", 1);
  network.set(router, "net.ipv6.conf.all.forwarding", 1);
  network.nft(
    router,
    `table ip nat {
       chain pre { type nat hook prerouting priority -100; tcp dport 8080 dnat to 10.9.2.2:80; }
       chain post { type nat hook postrouting priority 100; oifname "rs" masquerade; }
     }
     table inet f {
       chain fw { type filter hook forward priority 0; ct state new ct mark set 0x2a; }
     }`,
  );
  return { outside, router, server };
}

test("DNAT, masquerade, IPv6, ICMP and accounting, as conntrack lists them", { skip, timeout: 600_000 }, () =>
  withTestNetwork(async (network) => {
    const { outside, router, server } = route(network);
    await network.start(server, SERVER);
    const facts = ConntrackFactsReader.open(router, true);
    assert.equal(facts.read()?.accounting, false);
    facts.enableAccounting();
    assert.equal(facts.read()?.accounting, true);
    await network.start(outside, client("10.9.1.1", 8080, 3));
    await network.start(outside, client("fd00:2::2", 80, 2));
    facts.restoreAccounting();
    assert.equal(facts.read()?.accounting, false);
    facts.restoreAccounting();
    await network.start(outside, client("10.9.2.2", 80, 1));

    const entries = read(router);
    const text = network.run(router, "conntrack", ["-L", "-o", "extended"]);
    assert.deepEqual(comparable(entries), comparable(listed(text)));
    const raw = withNetns(router, () => readFileSync("/proc/net/nf_conntrack", "latin1"));
    assert.deepEqual(comparable(entries), comparable(listed(raw)));

    const dnat = entries.filter((entry) => entry.destinationNat);
    assert.equal(dnat.length, 3);
    for (const { orig, reply, sourceNat, state, mark, counters } of dnat) {
      assert.deepEqual([orig.destination, orig.destinationPort], ["10.9.1.1", 8080]);
      assert.deepEqual([reply.source, reply.sourcePort, reply.destination], ["10.9.2.2", 80, "10.9.2.1"]);
      assert.deepEqual([sourceNat, state, mark], [true, "ESTABLISHED", 42]);
      assert.deepEqual([counters?.packets, counters?.bytes, counters?.replyPackets], [2, 112, 1]);
    }
    const ipv6 = entries.filter((entry) => entry.version === 6 && entry.protocol === 6);
    assert.deepEqual(
      ipv6.map((entry) => entry.orig.destination),
      ["fd00:2::2", "fd00:2::2"],
    );
    const after = entries.find((entry) => entry.orig.destination === "10.9.2.2");
    assert.equal(after?.counters, null, "accounting was off again when it began");
    assert.equal(facts.read()?.count, entries.length);
    facts.close();

    for (const [netns, expected] of [
      [server, 6],
      [outside, 6],
      [router, 0],
    ] as const) {
      const sockets = SocketReader.open(netns);
      assert.equal(sockets.read(), true);
      const { table } = sockets;
      const established = Array.from({ length: table.count }, (_, i) =>
        table.word(i, SocketWord.state),
      ).filter((state) => state === TcpState.established).length;
      const ss = network.run(netns, "ss", ["-Htan", "state", "established"]).split("\n").length - 1;
      assert.deepEqual([established, ss], [expected, expected]);
      sockets.close();
    }
  }),
);

test("50,000 entries are the 50,000 that conntrack lists", { skip, timeout: 600_000 }, () =>
  withTestNetwork(async (network) => {
    const netns = network.add();
    network.track(netns, MANY);
    const entries = comparable(read(netns));
    assert.equal(entries.size, MANY);
    const text = comparable(listed(network.run(netns, "conntrack", ["-L", "-o", "extended"])));
    assert.equal(text.size, MANY);
    for (const [key, entry] of text) assert.deepEqual(entries.get(key), entry);
  }),
);

test("events that overran the socket: the list is read again, and whole", { skip, timeout: 600_000 }, () =>
  withTestNetwork(async (network) => {
    const netns = network.add();
    const channel = withNetns(netns, () =>
      openNetlink(NetlinkFamily.netfilter, { groups: [NEW_ENTRIES], receiveBuffer: 4096 }),
    );
    const reader = new ConntrackReader(channel);
    network.track(netns, 3000);
    assert.equal(reader.read(), true);
    assert.ok(reader.resyncs >= 1, "ENOBUFS was seen");
    assert.equal(reader.table.count, 3000);
    const resyncs = reader.resyncs;
    assert.equal(reader.read(), true);
    assert.deepEqual([reader.table.count, reader.resyncs], [3000, resyncs]);
    reader.close();
  }),
);

test(
  "into a namespace by name, path and process, and back, whatever happens there",
  { skip, timeout: 600_000 },
  () =>
    withTestNetwork(async (network) => {
      const netns = network.add();
      const own = netnsId(null);
      const child = await network.start(netns, `console.log("ready"); process.stdin.resume()`);
      const there = netnsId(netns);
      assert.notEqual(there, own);
      for (const target of [netns, `/run/netns/${netns}`, child.pid!])
        assert.equal(
          withNetns(target, () => netnsId(null)),
          there,
        );
      assert.throws(() => withNetns(netns, () => assert.fail("inside")), /inside/);
      assert.equal(netnsId(null), own);
      const refused = (target: string, code: string) =>
        assert.throws(
          () => withNetns(target, () => assert.fail("never")),
          (error) => error instanceof NetnsError && error.code === code && error.message.includes(target),
        );
      refused(`${netns}-not`, "ENOENT");
      refused("/proc/self/status", "EINVAL");
      assert.equal(netnsId(null), own);
      const channel = withNetns(netns, () => openNetlink(NetlinkFamily.netfilter));
      const reader = new ConntrackReader(channel);
      network.track(netns, 10);
      assert.equal(reader.read(), true);
      assert.equal(reader.table.count, 10, "a socket stays where it was opened");
      reader.close();
    }),
);
