import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { ConntrackTable } from "../capture/conntrack/conntrack-table.js";
import { parseConntrackText } from "../capture/conntrack/conntrack-text.js";
import { Names } from "../capture/names/names.js";
import { parseAddress, parseCidr } from "../net.js";
import { CommandError, ExitCode } from "./exit.js";
import { readSidecar } from "./sidecar-reader.js";
import { SidecarWriter } from "./sidecar-writer.js";
import { ROOT } from "./terminal.test.fixture.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-sidecar-"));
after(() => rmSync(folder, { recursive: true }));

const NOW_US = 1_700_000_000_000_000;

function someNames(): Names {
  const names = new Names("external");
  names.add("old", parseAddress("10.0.0.1")!, [], Number.NEGATIVE_INFINITY, NOW_US);
  names.add("new", parseAddress("10.0.0.1")!, [80, 443], NOW_US);
  names.addGroup("office", parseCidr("192.168.0.0/16")!);
  return names;
}

function someEntries(): ConntrackTable {
  const table = new ConntrackTable();
  for (const name of ["conntrack-ipv4-acct", "conntrack-ipv6", "conntrack-ipv4"])
    parseConntrackText(readFileSync(join(ROOT, "fixtures", `${name}.txt`), "latin1"), table);
  return table;
}

function write(name: string, entries: ConntrackTable): string {
  const path = join(folder, name);
  const writer = new SidecarWriter(path, "netwatch 0.0.0", NOW_US);
  const names = someNames();
  writer.addNames(new Names(null), NOW_US);
  for (let i = 0; i < 3; i++) writer.addNames(names, NOW_US);
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
  const rest = { sockets: null, resyncs: 1, failures: 2, odd: 3, problem: "late" };
  writer.addTracking({
    namespaces: [{ netns: "web", entries, facts, ...rest }],
    capture: {
      netns: "web",
      bridge: true,
      networks: [parseCidr("10.0.0.0/24")!],
      ownAddresses: new Set(["10.0.0.254"]),
      startUs: NOW_US,
      endUs: NOW_US + 2,
      pollUs: NOW_US + 3,
      gap: false,
    },
  });
  writer.close();
  return path;
}

test("what is written is read again: names with their times, entries word by word, the capture's facts", async () => {
  const entries = someEntries();
  assert.ok(entries.count > 5);
  const path = write("whole.ndjson", entries);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const { names, tracking, cut } = await readSidecar(path);
  assert.equal(cut, false);
  assert.deepEqual(names!.list(), someNames().list());
  const [read] = tracking!.namespaces;
  const words = ({ words, count }: ConntrackTable) => words.subarray(0, count * 24);
  const numbers = ({ numbers, count }: ConntrackTable) => numbers.subarray(0, count * 5);
  assert.equal(read!.entries.count, entries.count);
  assert.deepEqual(words(read!.entries), words(entries));
  assert.deepEqual(numbers(read!.entries), numbers(entries));
  assert.deepEqual(
    [read!.facts!.limit, read!.facts!.timeouts.get("udp_timeout"), read!.problem],
    [2, 30, "late"],
  );
  assert.deepEqual(tracking!.capture.networks, [parseCidr("10.0.0.0/24")]);
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
