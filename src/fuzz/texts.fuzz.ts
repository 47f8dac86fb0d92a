/** Files and answers that are text: names, sidecars, Snapshots, web configs, connection tracking, answers of services; and filters. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ZodError } from "zod";
import { parseSnapshot } from "../analyze/snapshot/read-snapshot.js";
import { snapshotSchema } from "../analyze/snapshot/snapshot.js";
import { entryToJson } from "../capture/conntrack/conntrack-json.js";
import { ConntrackTable } from "../capture/conntrack/conntrack-table.js";
import { parseConntrackText } from "../capture/conntrack/conntrack-text.js";
import { matchTagged } from "../capture/kernel/filter.js";
import { readEngine } from "../capture/names/docker.js";
import { ServiceError } from "../capture/names/json-client.js";
import { NamesError, parseNames } from "../capture/names/names.js";
import { parseHistory } from "../capture/names/registry-names.js";
import { readSidecar } from "../commands/analyze/sidecar-reader.js";
import { readWebConfig } from "../commands/serve/web/web-config.js";
import { CommandError } from "../exit.js";
import { renderSnapshotJson } from "../report/data/json.js";
import { parseFilter } from "../tui/lists/filter.js";
import { latin1, type Target, utf8 } from "./target.fuzz.js";

const fixture = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url)), "utf8");
const text = (value: unknown) => new Uint8Array(Buffer.from(JSON.stringify(value)));
/** What JSON is made of, and names that every object has. */
const JSON_WORDS = [
  "null",
  "true",
  "[]",
  "{}",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  '"__proto__":',
  '"constructor":',
  "1e999",
  "-0",
  "\\u0000",
  "\\ud800",
  '""',
  "\n",
  "\u001b[31m",
];

/** Runs `read` on a file with these bytes, which is gone afterwards. */
async function onFile<T>(bytes: Uint8Array, read: (path: string) => T | Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-fuzz-"));
  try {
    writeFileSync(join(folder, "file"), bytes);
    return await read(join(folder, "file"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Times and bounds that are open have no number in JSON. */
const plain = (value: unknown) => JSON.parse(JSON.stringify(value));

const names: Target = {
  name: "names",
  seeds: [
    text({
      web: "10.0.0.10",
      db: ["10.0.0.60", "fd00::60"],
      office: "192.168.0.0/16",
      redis: "10.0.0.50:6379",
      six: "[fd00::1]:80",
    }),
    text({
      services: { web: { addresses: ["10.0.0.10"], ports: [80, 443] } },
      groups: { office: ["10.0.0.0/8", "fd00::/8"] },
    }),
  ],
  words: [
    ...JSON_WORDS,
    '"services":',
    '"ports":[0]',
    "::ffff:1.2.3.4",
    "0.0.0.0/0",
    "::/0",
    "/33",
    ":65536",
    "fe80::1%eth0",
  ],
  errors: [NamesError],
  run(bytes) {
    const names = parseNames(utf8(bytes));
    const list = names.list();
    for (const { address, name } of list.holdings) {
      assert.ok(name.length >= 1 && name.length <= 255);
      assert.ok(names.find(address, null, null) !== null, `${address} has a name and is not found`);
    }
    return plain({ ...list, changes: names.changesUs() });
  },
};

const snapshot: Target = {
  name: "snapshot",
  isSlow: true,
  seeds: [smallSnapshot()],
  words: [...JSON_WORDS, '"version":1,', '"rows":[{}]', '"columns":', '"kind":"bytes"', '"total":{}'],
  errors: [Error],
  run(bytes) {
    const read = parseSnapshot(utf8(bytes));
    const written = JSON.parse([...renderSnapshotJson(read, false)].join(""));
    const again = JSON.parse([...renderSnapshotJson(parseSnapshot(JSON.stringify(written)), false)].join(""));
    assert.deepEqual(again, written, "what was read and is written is read as something else");
    return snapshotSchema.shape.totals.parse(written.totals);
  },
};

/** The kept Snapshot, with a row or two a table: small enough that most changes meet something. */
function smallSnapshot(): Uint8Array {
  const { tables, ...head } = JSON.parse(fixture("snapshot.0.1.json"));
  const { pairs } = tables;
  return text({ ...head, series: undefined, tables: { pairs: { ...pairs, rows: pairs.rows.slice(0, 2) } } });
}

const sidecarLines = [
  { kind: "netwatch-sidecar", version: 1, time: "2026-01-01T00:00:00Z", producer: "netwatch" },
  {
    ...{
      kind: "names",
      time: "2026-01-01T00:00:00Z",
      rest: null,
      announced: [{ address: "10.0.0.1", ports: [80] }],
    },
    holdings: [{ address: "10.0.0.1", name: "web", ports: [80], from_us: 1, to_us: null }],
    groups: [{ block: "10.0.0.0/8", name: "office" }],
  },
  {
    ...{ kind: "conntrack", time: "2026-01-01T00:00:00Z" },
    capture: {
      netns: null,
      bridge: true,
      networks: ["10.0.0.0/8"],
      own_addresses: ["10.0.0.1"],
      start_us: 1,
      end_us: 2,
      poll_us: 3,
      gap: false,
    },
    namespaces: [
      {
        ...{ netns: null, resyncs: 0, failures: 0, odd: 0, problem: null, omitted: 0 },
        facts: {
          count: 1,
          limit: 2,
          accounting: true,
          bridge_ipv4: true,
          bridge_ipv6: null,
          failures: null,
          timeouts: { tcp_timeout_established: 9 },
        },
        entries: conntrackEntries(fixture("conntrack-ipv4-acct.txt").split("\n", 2).join("\n")),
      },
    ],
  },
  {
    kind: "health",
    time: "2026-01-01T00:00:00Z",
    time_us: 5,
    checks: [
      {
        service: "web",
        address: "10.0.0.1",
        port: 80,
        check: "tcp",
        time_us: 4,
        failure: null,
        seconds: 0.1,
      },
    ],
  },
];

function conntrackEntries(text: string) {
  const table = new ConntrackTable(64);
  parseConntrackText(text, table);
  return [...Array(table.count).keys()].map((entry) => entryToJson(table, entry));
}

const sidecar: Target = {
  name: "sidecar",
  isSlow: true,
  seeds: [latin1(`${sidecarLines.map((line) => JSON.stringify(line)).join("\n")}\n`)],
  words: [...JSON_WORDS, '{"kind":"later"}\n', '"kind":"names"', '"entries":null', '"from_us":null', "\r\n"],
  errors: [CommandError],
  async run(bytes) {
    try {
      return await onFile(bytes, async (path) => {
        const { path: _, names, conntrack, health, cut } = await readSidecar(path);
        const entries = conntrack?.namespaces.map(({ entries: table }) =>
          [...Array(table?.count ?? 0).keys()].map((entry) => entryToJson(table!, entry)),
        );
        // Times may be before 1970, too.
        return {
          names: JSON.stringify(names?.list() ?? null),
          entries: plain(entries ?? null),
          health: JSON.stringify(health),
          cut,
        };
      });
    } catch (error) {
      throw withoutFolder(error as Error);
    }
  },
};

/** The same error whatever folder the file was in. */
function withoutFolder(error: Error): Error {
  error.message = error.message.replaceAll(/netwatch-fuzz-\w+/g, "");
  return error;
}

const conntrackText: Target = {
  name: "conntrack-text",
  seeds: ["conntrack-ipv4.txt", "conntrack-ipv6-acct.txt"].map((name) =>
    latin1(fixture(name).split("\n").slice(0, 4).join("\n")),
  ),
  words: [
    "src=",
    "dst=",
    "sport=",
    "dport=",
    "packets=",
    "bytes=",
    "type=",
    "code=",
    "id=",
    "mark=",
    "zone=",
    "zone-orig=",
    "[UNREPLIED]",
    "[ASSURED]",
    "[OFFLOAD]",
    "secctx=",
    "use=",
    "ipv6 10 ",
    "tcp 6 ",
    "icmp 1 ",
    "gre 47 ",
    "ESTABLISHED ",
    "\n",
    "::1",
    "1.2.3.4",
  ],
  run(bytes) {
    const table = new ConntrackTable(16);
    const report = parseConntrackText(utf8(bytes), table);
    assert.equal(report.entries, table.count);
    return {
      ...report,
      entries: plain([...Array(table.count).keys()].map((entry) => entryToJson(table, entry))),
    };
  },
};

const webConfig: Target = {
  name: "web-config",
  isSlow: true,
  seeds: [
    latin1(
      `http_server_config:\n  http2: false\n  headers:\n    X-A: b\nbasic_auth_users:\n  alice: $2y$10$${"a".repeat(53)}\n`,
    ),
    latin1(
      "tls_server_config:\n  cert_file: a.pem\n  key_file: b.pem\n  client_auth_type: NoClientCert\n  min_version: TLS13\n  cipher_suites:\n    - TLS_AES_128_GCM_SHA256\n",
    ),
  ],
  words: [
    "&a ",
    "*a",
    "<<: ",
    "!!js/function ",
    "!!binary ",
    "? ",
    "- ",
    ": ",
    "|\n",
    ">\n",
    "{",
    "}",
    "[",
    "]",
    "---\n",
    "%YAML 1.1\n",
    "\t",
    "\n  ",
    "'",
    '"',
    "__proto__: x\n",
    "null",
    "~",
    ".nan",
    "0x7fffffffffffffff",
    "#",
  ],
  errors: [CommandError],
  async run(bytes) {
    try {
      return await onFile(bytes, (path) => {
        const { tls, users, headers } = readWebConfig(path);
        return { tls: tls !== null, users: users && [...users], headers: Object.entries(headers) };
      });
    } catch (error) {
      throw withoutFolder(error as Error);
    }
  },
};

/** Zod's message is a list, and may be long. */
class Refused extends Error {}

const registry: Target = {
  name: "registry",
  seeds: [
    text({
      history: [
        { service: "a", instance: "a-1", address: "10.0.0.1", port: 80, from: 1, to: null },
        { service: "b", instance: "b-1", address: "fd00::1", port: 80, from: 1, to: 2 },
      ],
    }),
  ],
  words: [...JSON_WORDS, '"to":-1', '"from":1.5', "::ffff:1.2.3.4"],
  errors: [SyntaxError, Refused],
  run(bytes) {
    try {
      return plain(parseHistory(JSON.parse(utf8(bytes))));
    } catch (error) {
      throw error instanceof ZodError ? new Refused(error.issues[0]!.message) : error;
    }
  },
};

const BETWEEN = "\n\n";
const engine: Target = {
  name: "engine",
  isSlow: true,
  seeds: [
    latin1(
      [
        JSON.stringify([
          {
            Id: "abc",
            Names: ["/web-1"],
            State: "running",
            Labels: { "com.docker.compose.service": "web", "com.docker.compose.container-number": "2" },
            NetworkSettings: { Networks: { net: { IPAddress: "10.0.0.2", GlobalIPv6Address: "" } } },
          },
        ]),
        JSON.stringify([
          {
            Name: "net",
            Id: "0123456789abcdef",
            Driver: "bridge",
            Options: {},
            IPAM: { Config: [{ Subnet: "10.0.0.0/24" }] },
          },
        ]),
      ].join(BETWEEN),
    ),
  ],
  words: [
    ...JSON_WORDS,
    BETWEEN,
    '"State":"exited"',
    '"Labels":null',
    '"Options":{"com.docker.network.bridge.name":""}',
  ],
  errors: [ServiceError],
  async run(bytes) {
    const [containers, networks = ""] = Buffer.from(bytes).toString("latin1").split(BETWEEN);
    const folder = mkdtempSync(join(tmpdir(), "netwatch-fuzz-"));
    const server = createServer((request, response) =>
      response.end(request.url!.startsWith("/networks") ? networks : containers, "latin1"),
    );
    try {
      const path = join(folder, "socket");
      await new Promise<void>((resolve) => server.listen(path, resolve));
      return await readEngine(path);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    }
  },
};

const ROW = {
  source: "web",
  destination: "10.0.0.1",
  protocol: "TCP",
  source_port: 80,
  state: null,
  bytes: 5,
};
const filter: Target = {
  name: "filter",
  seeds: [
    latin1("src:web dst:10.0 proto:tcp port:80 state: x"),
    latin1("tcp and not port 22"),
    latin1("vlan 5"),
  ],
  words: ["src:", "port:", "__proto__:", "constructor:", " vlan ", "(", ")", "::"],
  run(bytes) {
    const text = utf8(bytes);
    const tagged = matchTagged(text);
    assert.ok(tagged.includes(text) && tagged.length <= 3 * text.length + 1000);
    return { matches: parseFilter(text)(ROW), tagged };
  },
};

export const targets: readonly Target[] = [
  names,
  snapshot,
  sidecar,
  conntrackText,
  webConfig,
  registry,
  engine,
  filter,
];
