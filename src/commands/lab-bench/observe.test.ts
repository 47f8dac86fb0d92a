import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { readLab } from "../../../services/topology.js";
import type { Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { analyzeCaptures } from "../analyze/captures.js";
import { createFakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { readWire } from "./observe.js";

/** Addresses of the lab, as a target knows them. */
const SERVICES = new Map(
  Object.entries(readLab().services).flatMap(([name, { addresses }]) =>
    addresses.map((address) => [address, name] as const),
  ),
);
const LAB = { services: SERVICES, entrance: "nginx-lb" };
const ROUND = { requests: 100, requestsPerSecond: 50 };

async function shop(): Promise<Snapshot> {
  const terminal = createFakeTerminal();
  try {
    const files = [join(ROOT, "fixtures/shop.pcapng")];
    return (await analyzeCaptures(files, { numeric: true }, "netwatch test", terminal)).snapshot;
  } finally {
    terminal.dispose();
  }
}

test("bytes a request: all of the capture, and of the hop between load and entrance", async () => {
  const snapshot = await shop();
  const wire = readWire(snapshot, LAB, ROUND);
  assert.equal(wire.bytes_per_request, snapshot.totals.bytes / 100);
  assert.equal(wire.packets, snapshot.totals.packets);
  const door = wire.hops.find(({ client, server }) => client === "client" && server === "nginx-lb");
  assert.equal(door?.bytes_per_request, wire.entrance_bytes_per_request);
  assert.ok(wire.entrance_bytes_per_request > 0);
});

test("hops are services, both directions in one, the caller first as lab.json has it", async () => {
  const { hops } = readWire(await shop(), LAB, ROUND);
  const { services } = readLab();
  const keys = hops.map(({ client, server }) => [client, server].sort().join(" "));
  assert.equal(new Set(keys).size, keys.length);
  for (const { client, server } of hops)
    if (services[client] && services[server] && client !== "host")
      assert.ok(services[client].calls.includes(server), `${client} -> ${server}`);
  for (const [i, hop] of hops.entries())
    assert.ok(i === 0 || hop.bytes_per_request <= hops[i - 1]!.bytes_per_request);
});

test("the handshake comes from the table of TCP, of load and entrance alone, and is unknown without it", async () => {
  const snapshot = await shop();
  const withTcp = (rows: Table["rows"] & object[]): Snapshot => ({
    ...snapshot,
    tables: {
      ...snapshot.tables,
      tcp: { ...snapshot.tables.tcp, rows },
    },
  });
  assert.equal(readWire(withTcp([]), LAB, ROUND).handshake_p50_seconds, null);
  const recorded = readWire(snapshot, LAB, ROUND).handshake_p50_seconds;
  assert.ok(recorded !== null && recorded > 0 && recorded < 0.1, `${recorded}`);
  const row = (source: string, destination: string, handshake_p50_ms: number | null) => ({
    source,
    destination,
    handshake_p50_ms,
  });
  const rows = [
    row("198.51.100.10", "10.0.0.10", 0.25),
    row("10.0.0.10", "10.0.0.20", 9),
    row("10.0.0.10", "198.51.100.10", null),
  ];
  assert.equal(readWire(withTcp(rows), LAB, ROUND).handshake_p50_seconds, 0.000_25);
  assert.equal(readWire(withTcp(rows.slice(1)), LAB, ROUND).handshake_p50_seconds, null);
});
