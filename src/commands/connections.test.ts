import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConntrackTableName } from "../analyze/snapshot/snapshot.js";
import { CommandError, ExitCode } from "../exit.js";
import { type ConnectionsOptions, connections } from "./connections.js";
import { CONNTRACK_TABLE_NAMES } from "./options.js";
import { createFakeTerminal, expectGolden, ROOT } from "./terminal.test.fixture.js";

const FIXTURE = `${ROOT}fixtures/conntrack-ipv4-acct.txt`;
const LAB = `${ROOT}services/lab.json`;

async function run(options: Partial<ConnectionsOptions>, stdin = "") {
  const terminal = createFakeTerminal([Buffer.from(stdin)]);
  const giveUpRoot = () => assert.fail("nothing is opened for a file");
  const rest = { interval: 1, output: "table", signal: new AbortController().signal, giveUpRoot } as const;
  try {
    const code = await connections({ ...rest, ...options }, "netwatch test", terminal);
    return { code, out: terminal.out(), said: terminal.said };
  } finally {
    terminal.dispose();
  }
}

const fails = (options: Partial<ConnectionsOptions>, exitCode: ExitCode, message: RegExp, stdin = "") =>
  assert.rejects(
    run(options, stdin),
    (error) => error instanceof CommandError && error.exitCode === exitCode && message.test(error.message),
  );

test("the summary of a table that conntrack printed", async () => {
  const { code, out, said } = await run({ read: FIXTURE, names: LAB });
  assert.deepEqual([code, said], [ExitCode.ok, []]);
  for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
  expectGolden("connections.txt", out);
});

test("text, CSV, JSON and JSON lines of one table have the same rows and totals", async () => {
  const json = JSON.parse((await run({ read: FIXTURE, output: "json" })).out);
  assert.deepEqual(Object.keys(json.tables), [...CONNTRACK_TABLE_NAMES]);
  assert.deepEqual([json.complete, json.time, json.named], [true, null, false]);
  for (const table of CONNTRACK_TABLE_NAMES as readonly ConntrackTableName[]) {
    const { rows, total, columns } = json.tables[table];
    const lines = (await run({ read: FIXTURE, output: "ndjson", table })).out.trim();
    assert.deepEqual(lines === "" ? [] : lines.split("\n").map((line) => JSON.parse(line)), rows);
    assert.deepEqual(JSON.parse((await run({ read: FIXTURE, output: "json", table })).out), rows);
    const csv = (await run({ read: FIXTURE, output: "csv", table })).out.trim().split("\n");
    assert.equal(csv[0], columns.map((column: { name: string }) => column.name).join(","));
    assert.equal(csv.length - 1, rows.length);
    for (const [name, sum] of Object.entries(total))
      assert.equal(
        rows.reduce((all: number, row: Record<string, number>) => all + (row[name] ?? 0), 0),
        sum,
      );
  }
  const { connections: all, services, states } = json.tables;
  assert.deepEqual([all.rows.length, services.total.connections, states.total.connections], [65, 65, 65]);
  assert.equal(services.total.bytes, all.total.bytes + all.total.reply_bytes);
});

test("an unaccounted table has no counters, not zeros", async () => {
  const file = `${ROOT}fixtures/conntrack-ipv4.txt`;
  const rows = JSON.parse((await run({ read: file, output: "json", table: "connections" })).out);
  assert.ok(rows.length > 60 && rows.every((row: { bytes: unknown }) => row.bytes === null));
});

test("odd lines are said, and have their own exit code; nothing readable has another", async () => {
  const line =
    "tcp 6 9 CLOSE src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1\n";
  const { code, out, said } = await run({ read: "-" }, `${line}\u001b[31mnonsense\n`);
  assert.equal(code, ExitCode.damaged);
  assert.match(said[0]!, /^-: line 2: no protocol number \(1 line in all\); the rest was read$/);
  assert.match(out, /INCOMPLETE/);
  await fails({ read: "-" }, ExitCode.unreadable, /line 1: no protocol number/, "nonsense\n");
  await fails({ read: "/no/such/file" }, ExitCode.unreadable, /no such file/);
});

test("what does not go together is a usage error", async () => {
  await fails({ read: FIXTURE, output: "csv" }, ExitCode.usage, /--table services\|/);
  await fails({ watch: true, output: "csv", table: "nat" }, ExitCode.usage, /one moment/);
  await fails({ netns: "a", allNetns: true }, ExitCode.usage, /not both/);
  for (const live of [{ watch: true }, { netns: "a" }, { allNetns: true }, { enableAcct: true }])
    await fails({ read: FIXTURE, ...live }, ExitCode.usage, /not live/);
});
