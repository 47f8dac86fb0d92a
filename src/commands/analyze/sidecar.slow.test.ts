import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { HealthTracker } from "../../analyze/health.js";
import type { ConntrackContext } from "../../analyze/snapshot/build.js";
import { ConntrackTable } from "../../capture/conntrack/conntrack-table.js";
import { parseConntrackText } from "../../capture/conntrack/conntrack-text.js";
import { Names } from "../../capture/names/names.js";
import { SidecarWriter } from "../../engine/recording/sidecar-writer.js";
import { CommandError, ExitCode } from "../../exit.js";
import { parseAddress, parseCidr } from "../../net.js";
import { ROOT } from "../terminal.test.fixture.js";
import { readSidecar, SidecarPlayer } from "./sidecar-reader.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-sidecar-"));
after(() => rmSync(folder, { recursive: true }));

const NOW_US = 1_700_000_000_000_000;

function someNames(): Names {
  const names = new Names("external");
  names.add("old", parseAddress("10.0.0.1")!, [], Number.NEGATIVE_INFINITY, NOW_US);
  names.add("new", parseAddress("10.0.0.1")!, [80, 443], NOW_US);
  names.addGroup("office", parseCidr("192.168.0.0/16")!);
  names.announce(parseAddress("10.0.0.1")!, 8001);
  return names;
}

function someEntries(): ConntrackTable {
  const table = new ConntrackTable();
  for (const name of ["conntrack-ipv4-acct", "conntrack-ipv6", "conntrack-ipv4"])
    parseConntrackText(readFileSync(join(ROOT, "fixtures", `${name}.txt`), "latin1"), table);
  return table;
}

/** A poll that found these `seconds` after the start. */
function pollOf(entries: ConntrackTable, seconds = 0, failures = 2): ConntrackContext {
  const timeouts = new Map([["udp_timeout", 30]]);
  const facts = {
    count: 1,
    limit: 2,
    accounting: true,
    bridgeIpv4: false,
    bridgeIpv6: null,
    failures: null,
    timeouts,
  };
  const rest = { sockets: null, resyncs: 1, failures, odd: 3, problem: "late" };
  return {
    namespaces: [{ netns: "web", entries, facts, ...rest }],
    capture: {
      netns: "web",
      bridge: true,
      networks: [parseCidr("10.0.0.0/24")!],
      ownAddresses: new Set(["10.0.0.254"]),
      startUs: NOW_US,
      endUs: NOW_US + seconds * 1e6 + 2,
      pollUs: NOW_US + seconds * 1e6 + 3,
      gap: false,
    },
  };
}

function write(name: string, entries: ConntrackTable): string {
  const path = join(folder, name);
  const writer = new SidecarWriter(path, "netwatch 0.0.0", NOW_US);
  const names = someNames();
  writer.addNames(new Names(null), NOW_US);
  for (let i = 0; i < 3; i++) writer.addNames(names, NOW_US);
  writer.addConntrack(pollOf(entries), true);
  writer.close();
  return path;
}

test("what is written is read again: names with their times, entries word by word, the capture's facts", async () => {
  const entries = someEntries();
  assert.ok(entries.count > 5);
  const path = write("whole.ndjson", entries);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { names, conntrack, cut } = await readSidecar(path);
  assert.equal(cut, false);
  assert.deepEqual(names!.list(), someNames().list());
  const [read] = conntrack!.namespaces;
  const words = ({ words, count }: ConntrackTable) => words.subarray(0, count * 24);
  const numbers = ({ numbers, count }: ConntrackTable) => numbers.subarray(0, count * 5);
  assert.equal(read!.entries.count, entries.count);
  assert.deepEqual(words(read!.entries), words(entries));
  assert.deepEqual(numbers(read!.entries), numbers(entries));
  assert.deepEqual(
    [read!.facts!.limit, read!.facts!.timeouts.get("udp_timeout"), read!.problem],
    [2, 30, "late"],
  );
  assert.deepEqual(conntrack!.capture.networks, [parseCidr("10.0.0.0/24")]);
  const lines = readFileSync(path, "utf8").trim().split("\n");
  assert.equal(lines.length, 4, "names are written when they have changed");
});

test("a last line that is cut off is left out; any other wrong line is named", async () => {
  const path = write("cut.ndjson", new ConntrackTable());
  appendFileSync(path, '{"kind":"names","ti');
  const { names, cut } = await readSidecar(path);
  assert.equal(cut, true);
  assert.equal(names!.find("10.0.0.1", 80, NOW_US), "new");
  const head = readFileSync(path, "utf8").split("\n")[0]!;
  const holding =
    '{"kind":"names","time":"","rest":null,"holdings":[{"address":"10.0.0","name":"x","ports":[],"from_us":null,"to_us":null}],"groups":[]}';
  for (const [text, says] of [
    [`${head}\n{}\n`, /sidecar .*: line 2: kind/],
    [`${head}\nx\n`, /line 2: not JSON/],
    [`${head}\n${holding}\n`, /line 2: holdings\.0\.address: not an address/],
    ['{"kind":"netwatch-sidecar","version":2,"time":"","producer":""}\n', /line 1: version/],
    [`${holding.replace("10.0.0", "10.0.0.1")}\n`, /line 1: no sidecar begins so/],
    [`${head}\n{"kind":"health","time":"","time_us":0,"checks":[{}]}\n`, /line 2: checks\.0\.service/],
    ["", /has no whole line/],
  ] as const) {
    writeFileSync(path, text);
    await assert.rejects(readSidecar(path), (error) => {
      assert.ok(error instanceof CommandError && error.exitCode === ExitCode.unreadable);
      assert.match(error.message, says);
      return true;
    });
  }
  await assert.rejects(readSidecar(join(folder, "none")), /no such file/);
});

/** The lines of a whole sidecar, each as `change` leaves it. */
function linesOfAnother(name: string, change: (line: Loose) => void): string[] {
  const path = write(name, someEntries());
  const writer = new SidecarWriter(`${path}.health`, "netwatch 0.0.0", NOW_US);
  const target = { service: "web", address: "10.0.0.1", port: 80, check: "http", path: "/" } as const;
  writer.addHealth(
    [{ target, result: { failure: null, seconds: 0.01, ownSeconds: 0.001 }, timeUs: NOW_US }],
    NOW_US,
  );
  writer.close();
  const texts = [path, `${path}.health`].map((of) => readFileSync(of, "utf8").trim().split("\n"));
  return [...texts[0]!, ...texts[1]!.slice(1)].map((text) => {
    const line = JSON.parse(text);
    change(line);
    return JSON.stringify(line);
  });
}

// biome-ignore lint/suspicious/noExplicitAny: a line of any shape
type Loose = any;

test("a sidecar of a later version is read: lines, fields and words that this one does not know are passed over", async () => {
  const plain = join(folder, "plain.ndjson");
  writeFileSync(plain, `${linesOfAnother("plain-lines.ndjson", () => {}).join("\n")}\n`);
  const lines = linesOfAnother("later-lines.ndjson", (line) => {
    line.more = { of: "it" };
    for (const holding of line.holdings ?? []) holding.color = "red";
    for (const namespace of line.namespaces ?? []) {
      namespace.zone = 7;
      namespace.facts.hashsize = 65_536;
      for (const entry of namespace.entries ?? []) entry.orig.label = "x";
    }
    for (const check of line.checks ?? []) check.check = "grpc";
  });
  const path = join(folder, "later.ndjson");
  const unknown = '{"kind":"policy","rules":[1],"__proto__":{"polluted":1}}';
  writeFileSync(path, `${lines.flatMap((line) => [line, unknown]).join("\n")}\n`);
  const [read, expected] = [await readSidecar(path), await readSidecar(plain)];
  assert.deepEqual(read.names!.list(), expected.names!.list());
  assert.deepEqual(read.conntrack, expected.conntrack);
  assert.equal(read.conntrack!.namespaces[0]!.entries.count, someEntries().count);
  assert.equal(read.health!.targets[0]!.check, "grpc");
  assert.equal(({} as Loose).polluted, undefined);
});

test("of a sidecar of an earlier version, facts that it lacks are not known and lists are empty", async () => {
  const lines = linesOfAnother("earlier-lines.ndjson", (line) => {
    delete line.groups;
    delete line.announced;
    delete line.rest;
    for (const namespace of line.namespaces ?? []) {
      delete namespace.facts.bridge_ipv4;
      delete namespace.problem;
      for (const entry of namespace.entries ?? []) {
        delete entry.counters;
        delete entry.timeout;
      }
    }
  });
  const path = join(folder, "earlier.ndjson");
  writeFileSync(path, `${lines.join("\n")}\n`);
  const { names, conntrack } = await readSidecar(path);
  assert.equal(names!.find("10.0.0.1", 80, NOW_US), "new");
  const [namespace] = conntrack!.namespaces;
  assert.deepEqual([namespace!.problem, namespace!.facts!.bridgeIpv4], [null, null]);
  assert.equal(namespace!.entries.count, someEntries().count);
  assert.ok(Number.isNaN(namespace!.entries.numbers[0]));
});

test("what no version writes stays refused: addresses of two families in one connection", async () => {
  const path = join(folder, "two-families.ndjson");
  const lines = linesOfAnother("two-families-lines.ndjson", (line) => {
    for (const namespace of line.namespaces ?? [])
      for (const entry of namespace.entries ?? []) {
        entry.orig.source = "10.0.0.1";
        entry.orig.destination = "fd00::1";
      }
  });
  writeFileSync(path, `${lines.join("\n")}\n`);
  await assert.rejects(readSidecar(path), /namespaces\.0\.entries\.0: addresses of two families/);
});

test("many entries are not written with every poll: the counts are, and the last poll is whole", async () => {
  const table = new ConntrackTable();
  const [line] = readFileSync(join(ROOT, "fixtures", "conntrack-ipv4.txt"), "latin1").split("\n");
  parseConntrackText(`${line}\n`.repeat(25_000), table);
  const path = join(folder, "many.ndjson");
  const writer = new SidecarWriter(path, "netwatch 0.0.0", NOW_US);
  for (let second = 0; second < 5; second++) writer.addConntrack(pollOf(table, second, second), second === 4);
  writer.close();
  const written = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((text) => JSON.parse(text).namespaces[0]);
  assert.deepEqual(
    written.map(({ entries, failures }) => [entries?.length ?? null, failures]),
    [
      [25_000, 0],
      [null, 1],
      [null, 2],
      [25_000, 3],
      [25_000, 4],
    ],
  );
  const player = new SidecarPlayer(path);
  await player.advance(NOW_US + 2.5e6);
  const { namespaces, capture } = player.conntrack!;
  assert.deepEqual([namespaces[0]!.entries.count, namespaces[0]!.failures], [25_000, 2]);
  assert.deepEqual([capture.pollUs, capture.endUs], [NOW_US + 3, NOW_US + 2e6 + 2]);
  await player.close();
});

test("health is played back as it was seen, round by round", async () => {
  const path = join(folder, "health.ndjson");
  const writer = new SidecarWriter(path, "netwatch 0.0.0", NOW_US);
  const course = new HealthTracker();
  const reports = [0, 10, 20].map((second) => {
    const timeUs = NOW_US + second * 1e6;
    const checks = ["web", "db"].slice(0, second === 20 ? 1 : 2).map((service, i) => ({
      target: { service, address: `10.0.0.${i}`, port: 80 + i, check: "http", path: "/health" } as const,
      result: {
        failure: second === 10 ? "nobody listens" : null,
        seconds: 0.01 * (i + 1),
        ownSeconds: 0.001,
      },
      timeUs: timeUs - i,
    }));
    course.follow(checks.map(({ target }) => target));
    for (const { target, result, timeUs: at } of checks) course.add(target, result, at);
    writer.addHealth(checks, timeUs);
    return course.report(timeUs);
  });
  writer.close();
  const player = new SidecarPlayer(path);
  await player.advance(NOW_US - 1);
  assert.equal(player.health, null);
  for (const [i, report] of reports.entries()) {
    await player.advance(NOW_US + i * 10e6 + 5e6);
    assert.deepEqual(player.health, report);
  }
  await player.advance(Number.POSITIVE_INFINITY);
  assert.deepEqual([player.health, player.conntrack], [reports[2], null]);
  assert.equal(reports[2]!.targets[0]!.history.length, 3);
  assert.deepEqual((await readSidecar(path)).health, reports[2]);
});
