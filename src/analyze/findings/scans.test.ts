import assert from "node:assert/strict";
import { test } from "node:test";
import { asPacket, talkPacket } from "../../capture/file/sample.test.fixture.js";
import { Names } from "../../capture/names/names.js";
import { parseAddress } from "../../net.js";
import { Analyzer } from "../analyzer.js";
import { buildSnapshot } from "../snapshot/build.js";

const SYN = 0x02;
const SYN_ACK = 0x12;
const RST_ACK = 0x14;

/** A SYN of 10.1.1.1 to a port of a host, and what comes back: nothing unless `flags` are given. */
function attempt(analyzer: Analyzer, host: number, port: number, flags: number | null = null): void {
  const ends = {
    version: 4,
    source: 1,
    destination: host,
    sourcePort: 40_000,
    destinationPort: port,
  } as const;
  const rest = { protocol: 6, icmpType: 0, laterFragment: false, length: 54, timeUs: 5 };
  const add = (fields: object) => {
    const packet = talkPacket({ ...ends, ...rest, flags: SYN, ...fields });
    analyzer.add(asPacket({ ...packet, bytes: packet.bytes.subarray(0, 54), length: 54 }));
  };
  add({});
  if (flags !== null) add({ source: host, destination: 1, sourcePort: port, destinationPort: 40_000, flags });
}

interface Tried {
  readonly ports?: number;
  readonly hosts?: number;
  readonly open?: number;
  readonly flags?: number | null;
}

function scanOf(tried: Tried, names: Names | null = null): string[] {
  const { ports = 1, hosts = 1, open = 0, flags = null } = tried;
  const analyzer = new Analyzer();
  for (let host = 0; host < hosts; host++)
    for (let port = 0; port < ports; port++) attempt(analyzer, 2 + host, 1000 + port, flags);
  for (let i = 0; i < open; i++) attempt(analyzer, 2, 20_000 + i, SYN_ACK);
  return buildSnapshot(analyzer, { producer: "t", files: [], dropped: null, names })
    .findings.filter(({ code }) => code === "scan")
    .map(({ severity, text }) => `${severity}: ${text}`);
}

test("15 ports of a host, or 25 hosts, refused or not answered, are a scan", () => {
  assert.deepEqual(scanOf({ ports: 15 }), [
    "warning: 10.1.1.1 looks like a scan: 15 of its 15 connection attempts (100.0 %) were refused or not answered, to 15 ports of 1 host.",
  ]);
  assert.deepEqual(scanOf({ ports: 14 }), []);
  assert.equal(scanOf({ ports: 15, flags: RST_ACK }).length, 1);
  assert.equal(scanOf({ hosts: 25 }).length, 1);
  assert.deepEqual(scanOf({ hosts: 24 }), []);
});

test("who is answered more often than not is no scan", () => {
  assert.equal(scanOf({ ports: 15, open: 15 }).length, 1);
  assert.deepEqual(scanOf({ ports: 15, open: 16 }), []);
  assert.deepEqual(scanOf({ ports: 40, flags: SYN_ACK }), []);
});

test("ports that a service announces, now or before, are none to scan: a rotation is no scan", () => {
  const names = new Names(null);
  const address = parseAddress("10.1.1.2")!;
  names.add("web", address);
  for (let port = 0; port < 10; port++) names.announce(address, 1000 + port);
  assert.deepEqual(scanOf({ ports: 24 }, names), []);
  assert.equal(scanOf({ ports: 25 }, names).length, 1);
  const byPort = new Names(null);
  for (let port = 0; port < 10; port++) byPort.add("web", address, [1000 + port], 0, 1);
  assert.deepEqual(scanOf({ ports: 24 }, byPort), []);
});

test("an address among many of one name is told by itself", () => {
  assert.match(scanOf({ ports: 15 }, new Names("external"))[0]!, /^warning: external \(10\.1\.1\.1\) looks/);
});
