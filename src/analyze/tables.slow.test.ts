import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  arp,
  asPacket,
  ethernet,
  ipv4,
  SEED,
  type Talk,
  talkAddress,
  talkPacket,
  talks,
  tcp,
} from "../capture/file/sample.test.fixture.js";
import { Names, parseNames } from "../capture/names/names.js";
import { formatAddress, parseAddress, protocolName } from "../net.js";
import { Analyzer, type AnalyzerOptions } from "./analyzer.js";
import { buildSnapshot } from "./snapshot/build.js";
import { limitSnapshot, limitTable, OTHER } from "./snapshot/limit.js";
import type { Row, Snapshot, Table } from "./snapshot/snapshot.js";
import { NO_TCP } from "./tables/tcp-cells.js";

function snapshotOf(
  all: readonly Talk[],
  names: Names | null = null,
  options: AnalyzerOptions = {},
  extra: readonly Uint8Array[] = [],
): Snapshot {
  const analyzer = new Analyzer(options);
  for (const one of all) analyzer.add(asPacket(talkPacket(one)));
  for (const bytes of extra) analyzer.add(asPacket({ timeUs: 0, bytes }));
  return buildSnapshot(analyzer, { producer: "netwatch test", files: [], dropped: null, names });
}

/** One TCP packet from 10.1.1.1, port 40000, to 10.1.1.2, port 80. */
function talk(fields: Partial<Talk> = {}): Talk {
  const ends = { version: 4, source: 1, destination: 2, sourcePort: 40_000, destinationPort: 80 } as const;
  const rest = { protocol: 6, flags: 0x10, icmpType: 0, laterFragment: false, length: 100, timeUs: 5 };
  return { ...ends, ...rest, ...fields };
}

/** null: nothing to add. */
const big = (row: Row, column: string) => BigInt((row[column] as number | null) ?? 0);
const sumOf = (rows: Iterable<Row>, column: string) => {
  let sum = 0n;
  for (const row of rows) sum += big(row, column);
  return sum;
};

const NOT_IP = [ethernet(arp(), 0x0806), ethernet(ipv4(tcp(1, 2), { ihl: 2 })), ethernet(arp(), 0x88cc)];

/** Some hosts of `talks` have a name, two share one. */
const NAMES = { web: ["10.1.1.0", "fd00::"], db: "10.1.1.1", shared: ["10.1.1.2", "fd00::2"] };
const parsed = () => parseNames(JSON.stringify(NAMES));

const arbitraryTraffic = fc.record({
  roll: fc.integer(),
  count: fc.nat({ max: 200 }),
  maxFlows: fc.constantFrom(1, 2, 7, 30, 1_000_000),
  named: fc.boolean(),
});

test("property: every table adds up to the packets and bytes of the capture, evicted ones included", () => {
  fc.assert(
    fc.property(arbitraryTraffic, ({ roll, count, maxFlows, named }) => {
      const all = talks(roll, count);
      const { tables, totals, ledger } = snapshotOf(all, named ? parsed() : null, { maxFlows }, NOT_IP);
      const bytes = all.reduce((sum, one) => sum + BigInt(one.length), 0n);
      const packets = BigInt(all.length);
      const notIpBytes = NOT_IP.reduce((sum, frame) => sum + BigInt(frame.length), 0n);
      assert.equal(BigInt(totals.packets), packets + 3n);
      assert.equal(BigInt(totals.bytes), bytes + notIpBytes);
      assert.equal(ledger.non_ip, 3);
      assert.equal(sumOf(tables.protocols.rows, "packets"), packets + 3n);
      assert.equal(sumOf(tables.protocols.rows, "bytes"), bytes + notIpBytes);
      for (const { rows } of [tables.pairs, tables.talkers]) {
        assert.equal(sumOf(rows, "packets"), packets);
        assert.equal(sumOf(rows, "bytes"), bytes);
      }
      const { conversations, endpoints } = tables;
      const both = (x: string, y: string) => sumOf(conversations.rows, x) + sumOf(conversations.rows, y);
      assert.equal(both("packets", "reply_packets"), packets);
      assert.equal(both("bytes", "reply_bytes"), bytes);
      assert.equal(sumOf(endpoints.rows, "packets"), 2n * packets);
      assert.equal(sumOf(endpoints.rows, "bytes"), 2n * bytes);
      for (const side of ["sent", "received"]) {
        assert.equal(sumOf(endpoints.rows, `${side}_packets`), packets);
        assert.equal(sumOf(endpoints.rows, `${side}_bytes`), bytes);
      }
      assert.equal(
        sumOf(tables.pairs.rows, "conversations"),
        BigInt(conversations.rows.length - (conversations.omitted > 0 ? 1 : 0) + conversations.omitted),
      );
      for (const table of Object.values(tables)) assertTotal(table);
    }),
    { seed: SEED, numRuns: 25 },
  );
});

/** `total` is the sum of the rows: exact, and to the rounding of each row where it is a ratio. */
function assertTotal(table: Table): void {
  const summed = table.columns.filter(
    ({ name, kind }) => ["packets", "bytes", "count"].includes(kind) || name === "share",
  );
  assert.deepEqual(Object.keys(table.total).sort(), summed.map(({ name }) => name).sort());
  for (const { name, kind } of summed) {
    if (kind !== "ratio") assert.equal(sumOf(table.rows, name), BigInt(table.total[name]!), name);
    else {
      const sum = [...table.rows].reduce((all, row) => all + Number(row[name]), 0);
      assert.ok(Math.abs(sum - table.total[name]!) <= 1e-6 * (table.rows.length + 1), `${table.name} ${sum}`);
    }
  }
}

/** Sums by key, in a Map: what the tables of services are made of. */
class Oracle {
  readonly sums = new Map<string, [bigint, bigint]>();
  add(key: string, bytes: number): void {
    const [packets, before] = this.sums.get(key) ?? [0n, 0n];
    this.sums.set(key, [packets + 1n, before + BigInt(bytes)]);
  }
  get lines(): string[] {
    return [...this.sums].map(([key, [packets, bytes]]) => `${key} ${packets} ${bytes}`).sort();
  }
}

function nameOf(named: boolean, address: string): string {
  if (!named) return address;
  const found = Object.entries(NAMES).find(([, held]) => [held].flat().includes(address));
  return found?.[0] ?? "external";
}

test("property: pairs, talkers, endpoints and protocols are what Maps keyed by text hold, with and without names", () => {
  const lines = (table: Table, ...keys: readonly string[]) =>
    [...table.rows].map((row) => [...keys, "packets", "bytes"].map((key) => row[key]).join(" ")).sort();
  fc.assert(
    fc.property(
      fc.integer(),
      fc.nat({ max: 200 }),
      fc.boolean(),
      fc.integer(),
      (roll, count, named, seed) => {
        const all = talks(roll, count);
        const { tables, ledger } = snapshotOf(all, named ? parsed() : null, { seed });
        const [pairs, talkers, endpoints, protocols] = [
          new Oracle(),
          new Oracle(),
          new Oracle(),
          new Oracle(),
        ];
        let unresolved = 0;
        for (const { version, source, destination, length, protocol } of all) {
          const from = formatAddress(talkAddress(version, source));
          const to = formatAddress(talkAddress(version, destination));
          const [fromName, toName] = [nameOf(named, from), nameOf(named, to)];
          pairs.add(`${fromName} ${toName}`, length);
          talkers.add(fromName, length);
          endpoints.add(from, length);
          endpoints.add(to, length);
          protocols.add(protocolName(protocol, version), length);
          if (fromName === "external" || toName === "external") unresolved += length;
        }
        assert.deepEqual(lines(tables.pairs, "source", "destination"), pairs.lines);
        assert.deepEqual(lines(tables.talkers, "service"), talkers.lines);
        assert.deepEqual(lines(tables.endpoints, "address"), endpoints.lines);
        assert.deepEqual(lines(tables.protocols, "protocol"), protocols.lines);
        assert.equal(ledger.unresolved_bytes, named ? unresolved : null);
        for (const { address, service } of tables.endpoints.rows)
          assert.equal(
            service,
            named && nameOf(true, String(address)) !== "external" ? nameOf(true, String(address)) : null,
          );
      },
    ),
    { seed: SEED, numRuns: 25 },
  );
});

/** Names by code unit, then IPv4 and IPv6 addresses by number. */
function compareLabels(x: unknown, y: unknown): number {
  const [addressX, addressY] = [parseAddress(String(x)), parseAddress(String(y))];
  if (!addressX || !addressY)
    return addressX ? 1 : addressY ? -1 : String(x) < String(y) ? -1 : x === y ? 0 : 1;
  return addressX.length - addressY.length || Buffer.compare(addressX, addressY);
}

test("property: rows go by bytes, ties by key; the row `other` is the last, where something is omitted", () => {
  fc.assert(
    fc.property(arbitraryTraffic, ({ roll, count, maxFlows, named }) => {
      // Few lengths: many ties.
      const all = talks(roll, count).map((one) => ({ ...one, length: 60 + 60 * (one.length % 2) }));
      const { tables } = snapshotOf(all, named ? parsed() : null, { maxFlows });
      const { pairs, protocols, talkers, conversations, endpoints } = tables;
      for (const { name, rows, omitted } of [pairs, protocols, talkers, conversations, endpoints]) {
        const listed = [...rows];
        assert.equal(listed.length, rows.length);
        if (omitted > 0) assert.ok(Object.values(listed.pop()!).includes(OTHER));
        const bytes = (row: Row) =>
          Number(row.bytes) + (name === "conversations" ? Number(row.reply_bytes) : 0);
        for (let i = 1; i < listed.length; i++) {
          const [before, row] = [listed[i - 1]!, listed[i]!];
          assert.ok(bytes(before) >= bytes(row), `${name} row ${i}`);
          if (bytes(before) > bytes(row) || name === "conversations" || name === "protocols") continue;
          const [key, second] =
            name === "pairs" ? ["source", "destination"] : name === "talkers" ? ["service"] : ["address"];
          const order = compareLabels(before[key!], row[key!]);
          assert.ok(order < 0 || (second && order === 0 && compareLabels(before[second], row[second]) < 0));
        }
      }
    }),
    { seed: SEED, numRuns: 25 },
  );
});

test("property: neither the order of the packets nor the seed changes a table, unless the first packet decides", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer(), (roll, seed) => {
      const all = talks(roll, 100).filter((one) => one.source !== one.destination);
      const text = (snapshot: Snapshot) =>
        JSON.stringify(
          ["pairs", "talkers", "endpoints", "protocols"].map((name) => [
            ...snapshot.tables[name as "pairs"].rows,
          ]),
          // Which conversation began where depends on the first packet.
          (key, value) => (key === "conversations" ? undefined : value),
        );
      assert.equal(text(snapshotOf(all.toReversed(), null, { seed })), text(snapshotOf(all)));
    }),
    { seed: SEED, numRuns: 30 },
  );
});

test("ties go by key: names by code unit, then IPv4 before IPv6, addresses by number", () => {
  const hosts = [200, 9, 10, 1];
  const all = hosts.flatMap((source) => [
    talk({ source, destination: 50, protocol: 17 }),
    talk({ source, destination: 50, protocol: 17, version: 6 }),
  ]);
  const services = (names: Names | null) =>
    [...snapshotOf(all, names).tables.talkers.rows].map((row) => row.service);
  const addresses = [
    "10.1.1.1",
    "10.1.1.9",
    "10.1.1.10",
    "10.1.1.200",
    "fd00::1",
    "fd00::9",
    "fd00::a",
    "fd00::c8",
  ];
  assert.deepEqual(services(null), addresses);
  const names = new Names(null);
  names.add("zebra", parseAddress("10.1.1.1")!);
  names.add("Ähre", parseAddress("10.1.1.9")!);
  names.add("apple", parseAddress("fd00::c8")!);
  names.add("Zoo", parseAddress("fd00::1")!);
  assert.deepEqual(services(names), [
    "Zoo",
    "apple",
    "zebra",
    "Ähre",
    "10.1.1.10",
    "10.1.1.200",
    "fd00::9",
    "fd00::a",
  ]);
});

test("equal conversations go by family, addresses as numbers, ports", () => {
  const all = [
    talk({ source: 200, version: 6 }),
    talk({ source: 9, version: 6 }),
    talk({ source: 1, sourcePort: 50_000 }),
    talk({ source: 1, sourcePort: 40_000 }),
  ];
  const keys = [...snapshotOf(all).tables.conversations.rows].map(
    (row) => `${row.source_address} ${row.source_port}`,
  );
  assert.deepEqual(keys.slice(0, 2).sort(), ["10.1.1.1 40000", "10.1.1.1 50000"]);
  assert.deepEqual(
    keys,
    [...snapshotOf(all.toReversed(), null, { seed: 99 }).tables.conversations.rows].map(
      (row) => `${row.source_address} ${row.source_port}`,
    ),
  );
});

test("a conversation's row: ends, ports, both directions, start, duration, how its source is known", () => {
  const all = [
    talk({ flags: 2, length: 60, timeUs: 1_000_000 }),
    talk({
      source: 2,
      destination: 1,
      sourcePort: 80,
      destinationPort: 40_000,
      flags: 0x12,
      timeUs: 1_250_000,
    }),
    talk({ protocol: 1, icmpType: 3, timeUs: -1, length: 50 }),
  ];
  const rows = [...snapshotOf(all, parseNames('{"db": "10.1.1.2"}')).tables.conversations.rows];
  const counts = { retransmissions: 0, out_of_order: 0, duplicate_acks: 0, zero_windows: 0, resets: 0 };
  const tcp = { application: null, handshake_ms: null, server_ms: null, rtt_ms: null, ...counts };
  assert.deepEqual(rows, [
    {
      transport: "TCP",
      source: "external",
      source_port: 40_000,
      destination: "db",
      destination_port: 80,
      packets: 1,
      bytes: 60,
      reply_packets: 1,
      reply_bytes: 100,
      start: "1970-01-01T00:00:01.000000Z",
      duration: 0.25,
      orientation: "handshake",
      source_address: "10.1.1.1",
      destination_address: "10.1.1.2",
      community_id: rows[0]!.community_id,
      ...tcp,
      tcp_state: "S1",
      completeness: 3,
    },
    {
      transport: "ICMP",
      source: "external",
      source_port: null,
      destination: "db",
      destination_port: null,
      packets: 1,
      bytes: 50,
      reply_packets: 0,
      reply_bytes: 0,
      start: null,
      duration: null,
      orientation: "first",
      source_address: "10.1.1.1",
      destination_address: "10.1.1.2",
      community_id: null,
      ...NO_TCP,
    },
  ]);
});

test("every row has exactly the columns of its table, in their order", () => {
  for (const maxFlows of [1, 1_000_000]) {
    const { tables } = snapshotOf(talks(3, 100), parsed(), { maxFlows });
    for (const { rows, columns } of Object.values(tables)) {
      const names = columns.map((column) => column.name);
      for (const row of rows) {
        assert.deepEqual(
          names.filter((name) => !(name in row)),
          [],
        );
        assert.equal(Object.keys(row).length, names.length);
      }
    }
  }
});

test("a pair counts a conversation where it began, or where it was answered if nothing was seen from there", () => {
  const answer = { source: 2, destination: 1, sourcePort: 80, destinationPort: 40_000 };
  const pairs = (...all: readonly Talk[]) =>
    [...snapshotOf(all).tables.pairs.rows].map((row) => `${row.source} ${row.conversations}`);
  assert.deepEqual(pairs(talk({ flags: 2 }), talk({ ...answer, length: 50 })), ["10.1.1.1 1", "10.1.1.2 0"]);
  assert.deepEqual(pairs(talk({ ...answer, flags: 0x12 })), ["10.1.1.2 1"]);
  assert.deepEqual(pairs(talk(answer)), ["10.1.1.2 1"]);
});

test("shares are parts of all bytes, what is not IP included", () => {
  const { tables } = snapshotOf([talk({ length: 150 })], null, {}, [
    ethernet(arp(), 0x0806).subarray(0, 42),
    new Uint8Array(8),
  ]);
  assert.deepEqual(
    [...tables.protocols.rows].map((row) => [row.protocol, row.share]),
    [
      ["TCP", 0.75],
      ["ARP", 0.21],
      ["OTHER", 0.04],
    ],
  );
  assert.equal([...tables.talkers.rows][0]!.share, 0.75);
  assert.equal(tables.talkers.total.share, 0.75);
});

test("evicted conversations are the row `other` of every table of conversations", () => {
  const all = [talk({ flags: 2, length: 10 }), talk({ source: 9, length: 1000 })];
  const { tables, ledger } = snapshotOf(all, null, { maxFlows: 1 });
  assert.deepEqual(ledger.evicted, { conversations: 1, packets: 1, bytes: 10 });
  const last = (table: Table) => [...table.rows].at(-1)!;
  const { pairs, talkers, conversations, endpoints, protocols } = tables;
  assert.deepEqual(last(pairs), {
    source: OTHER,
    destination: OTHER,
    packets: 1,
    bytes: 10,
    share: 0.009901,
    conversations: 1,
  });
  assert.deepEqual(last(talkers), { service: OTHER, packets: 1, bytes: 10, share: 0.009901 });
  assert.deepEqual([last(conversations).source, last(conversations).bytes], [OTHER, 10]);
  assert.deepEqual(
    [last(endpoints).address, last(endpoints).bytes, last(endpoints).sent_bytes],
    [OTHER, 20, 10],
  );
  assert.deepEqual([last(protocols).protocol, last(protocols).bytes], ["TCP", 1010]);
  for (const table of [pairs, talkers, conversations, endpoints]) assert.equal(table.omitted, 1);
  assert.equal(protocols.omitted, 0);
});

test("bytes beyond 2^32 add up exactly", () => {
  const all = new Array<Talk>(2000).fill(talk({ length: 0xffff_ffff }));
  const { totals, tables } = snapshotOf(all);
  assert.equal(totals.bytes, 8_589_934_590_000);
  assert.equal([...tables.pairs.rows][0]!.bytes, 8_589_934_590_000);
});

// Limits

test("property: fewer rows, same sums; what is cut off is counted and stands in the last row", () => {
  fc.assert(
    fc.property(arbitraryTraffic, fc.nat({ max: 12 }), ({ roll, count, maxFlows, named }, limit) => {
      const whole = snapshotOf(talks(roll, count), named ? parsed() : null, { maxFlows });
      const limited = limitSnapshot(whole, limit);
      for (const [name, table] of Object.entries(limited.tables)) {
        const before = whole.tables[name]!;
        const listed = before.rows.length - (before.omitted > 0 ? 1 : 0);
        const kept = Math.min(limit, listed);
        assert.ok(Array.isArray(table.rows));
        assert.equal(table.omitted, before.omitted + listed - kept);
        assert.equal(table.rows.length, kept + (table.omitted > 0 ? 1 : 0));
        assert.deepEqual([...table.rows].slice(0, kept), [...before.rows].slice(0, kept));
        if (table.omitted > 0) assert.equal([...table.rows].at(-1)![table.columns[0]!.name], OTHER);
        assertTotal(table);
        assert.deepEqual(limitTable(table, limit), table);
        assert.deepEqual(limitTable(limitTable(before, limit + 3), limit), table);
      }
    }),
    { seed: SEED, numRuns: 25 },
  );
});

test("a limited table reads no row beyond the limit", () => {
  const { pairs } = snapshotOf(talks(1, 200)).tables;
  let read = 0;
  const rows = {
    length: pairs.rows.length,
    *[Symbol.iterator]() {
      for (const row of pairs.rows) {
        read++;
        yield row;
      }
    },
  };
  limitTable({ ...pairs, rows }, 3);
  assert.ok(pairs.rows.length > 8 && read <= 4);
});

// Names

const services = (snapshot: Snapshot) => [...snapshot.tables.talkers.rows].map((row) => row.service).sort();

test("ports tell names that share an address apart", () => {
  const names = parseNames(
    '{"redis": "10.1.1.2:6379", "web": ["10.1.1.2:80", "10.1.1.2:443"], "client": "10.1.1.1"}',
  );
  const answers = [80, 443, 6379, 9].map((sourcePort) =>
    talk({ source: 2, destination: 1, sourcePort, destinationPort: 40_000, flags: 0x12, length: sourcePort }),
  );
  assert.deepEqual(
    [...snapshotOf(answers, names).tables.talkers.rows].map((row) => [row.service, row.bytes]),
    [
      ["redis", 6388],
      ["web", 523],
    ],
  );
});

test("an address falls to the longest group around it, then to external; its bytes are unresolved", () => {
  const names = parseNames(
    '{"host": "10.1.1.1", "all": "10.0.0.0/8", "near": "10.1.1.0/30", "six": "fd00::/64"}',
  );
  const all = [1, 2, 9].map((source) => talk({ source, destination: 1, length: source }));
  const far = ethernet(ipv4(tcp(1, 2), { source: Uint8Array.of(9, 9, 9, 9) }));
  const snapshot = snapshotOf([...all, talk({ version: 6 })], names, {}, [far]);
  assert.deepEqual(services(snapshot), ["all", "external", "host", "near", "six"]);
  assert.equal(snapshot.ledger.unresolved_bytes, far.length);
  assert.ok(snapshot.named);
});

test("a name may hold for a time: a conversation has the name of its start", () => {
  for (const rest of ["external", null]) {
    const names = new Names(rest);
    names.add("old", parseAddress("10.1.1.2")!, [], 0, 1000);
    names.add("new", parseAddress("10.1.1.2")!, [], 2000, 3000);
    const at = (timeUs: number) => talk({ source: 2, destination: 1, sourcePort: timeUs, timeUs });
    const snapshot = snapshotOf([at(0), at(999), at(1000), at(2000), at(2999), at(3000)], names);
    const bytes = Object.fromEntries(
      [...snapshot.tables.talkers.rows].map((row) => [row.service, row.bytes]),
    );
    assert.deepEqual(bytes, { old: 200, new: 200, [rest ?? "10.1.1.2"]: 200 });
  }
});

test("without an address's name, and no name for the rest, the address is shown", () => {
  const names = new Names(null);
  names.add("web", parseAddress("10.1.1.1")!);
  const snapshot = snapshotOf([talk(), talk({ source: 2, destination: 1 })], names);
  assert.deepEqual(services(snapshot), ["10.1.1.2", "web"]);
  assert.equal(snapshot.ledger.unresolved_bytes, null);
});

test("names that every object has are names like any other", () => {
  const text =
    '{"__proto__": "10.1.1.1", "constructor": "10.1.1.2", "toString": "10.1.1.3", "hasOwnProperty": "10.1.1.4"}';
  const all = [1, 2, 3, 4].map((source) => talk({ source, destination: 1 }));
  assert.deepEqual(services(snapshotOf(all, parseNames(text))), [
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "toString",
  ]);
});

test("two addresses of one name are one service; traffic between them is a pair of it with itself", () => {
  const snapshot = snapshotOf(
    [talk(), talk({ source: 2, destination: 1, sourcePort: 80, destinationPort: 40_000 })],
    parseNames('{"db": ["10.1.1.1", "10.1.1.2"]}'),
  );
  assert.deepEqual(
    [...snapshot.tables.pairs.rows].map((row) => [
      row.source,
      row.destination,
      row.packets,
      row.conversations,
    ]),
    [["db", "db", 2, 1]],
  );
});
