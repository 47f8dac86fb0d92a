import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { TABLE_NAMES } from "../../analyze/tables.js";
import { lastSnapshotPath } from "../../engine/recording/state-folder.js";
import { CommandError, ExitCode } from "../../exit.js";
import { OUTPUT_FORMATS } from "../options.js";
import { createFakeTerminal, expectGolden, type FakeTerminal, ROOT } from "../terminal.test.fixture.js";
import { type AnalyzeOptions, analyze } from "./analyze.js";

const SHOP = join(ROOT, "fixtures/shop.pcapng");
const LAB = join(ROOT, "services/lab.json");

async function run(
  files: readonly string[],
  options: Partial<AnalyzeOptions>,
  terminal: FakeTerminal = createFakeTerminal(),
): Promise<{ code: ExitCode; terminal: FakeTerminal; out: string }> {
  const code = await analyze(files, { output: "table", ...options }, "netwatch 0", terminal);
  const out = terminal.out();
  terminal.dispose();
  return { code, terminal, out };
}

async function fails(files: readonly string[], options: Partial<AnalyzeOptions>): Promise<CommandError> {
  const terminal = createFakeTerminal();
  try {
    await analyze(files, { output: "table", ...options }, "netwatch 0", terminal);
  } catch (error) {
    assert.ok(error instanceof CommandError, String(error));
    return error;
  } finally {
    terminal.dispose();
  }
  return assert.fail("the command did not fail");
}

test("the shop's summary reads as pinned, with names and with addresses", async () => {
  expectGolden("shop.summary.txt", (await run([SHOP], { names: LAB })).out);
  expectGolden("shop.summary.numeric.txt", (await run([SHOP], { names: LAB, numeric: true })).out);
});

for (const table of TABLE_NAMES) {
  test(`the shop's ${table} table reads as pinned in every form`, async () => {
    for (const output of OUTPUT_FORMATS) {
      const { out, code } = await run([SHOP], { names: LAB, table, output });
      assert.equal(code, ExitCode.ok);
      expectGolden(`shop.${table}.${output === "table" ? "txt" : output}`, out);
    }
  });
}

test("no line of a summary is wider than the terminal, from 80 columns on", async () => {
  for (const width of [80, 120, 200]) {
    const { out } = await run([SHOP], { names: LAB }, createFakeTerminal([], width));
    for (const line of out.split("\n")) assert.ok([...line].length <= width, line);
  }
});

test("a snapshot as JSON and as one JSON line is the same value, and the same again in another run", async () => {
  const { out } = await run([SHOP], { names: LAB, output: "json" });
  const line = (await run([SHOP], { names: LAB, output: "ndjson" })).out;
  assert.equal(line.indexOf("\n"), line.length - 1);
  assert.deepEqual(JSON.parse(out), JSON.parse(line));
  assert.equal(out, (await run([SHOP], { names: LAB, output: "json", seed: 12_345 })).out);
});

test("the same packets from stdin, gzip and in two halves give the same tables", async () => {
  const bytes = readFileSync(SHOP);
  const whole = JSON.parse((await run([SHOP], { output: "json" })).out).tables;
  const pieces = [bytes.subarray(0, 7), bytes.subarray(7, 100_001), bytes.subarray(100_001)];
  const fromStdin = await run(["-"], { output: "json" }, createFakeTerminal(pieces));
  assert.deepEqual(JSON.parse(fromStdin.out).tables, whole);
  assert.equal(JSON.parse(fromStdin.out).ledger.files[0].name, "stdin");
  const gzipped = await run(["-"], { output: "json" }, createFakeTerminal([gzipSync(bytes)]));
  assert.deepEqual(JSON.parse(gzipped.out).tables, whole);
});

test("a capture read twice over counts twice, and says so in the ledger", async () => {
  const once = JSON.parse((await run([SHOP], { output: "json" })).out);
  const twice = JSON.parse((await run([SHOP, SHOP], { output: "json" })).out);
  assert.equal(twice.totals.packets, 2 * once.totals.packets);
  assert.equal(twice.totals.bytes, 2 * once.totals.bytes);
  assert.equal(twice.ledger.files.length, 2);
  assert.deepEqual(twice.window, once.window);
});

test("--max-flows sums the smallest conversations as other, last in every table of flows, and totals stay", async () => {
  const all = JSON.parse((await run([SHOP], { output: "json" })).out);
  const few = JSON.parse((await run([SHOP], { output: "json", maxFlows: 10 })).out);
  assert.deepEqual(few.totals, all.totals);
  assert.deepEqual(few.tables.protocols, all.tables.protocols);
  for (const name of ["pairs", "talkers", "conversations", "endpoints"]) {
    const table = few.tables[name];
    assert.equal(Object.values(table.rows.at(-1))[0], "other");
    assert.deepEqual(table.total.bytes, all.tables[name].total.bytes, name);
    const summed = table.rows.reduce((sum: number, row: { bytes: number }) => sum + row.bytes, 0);
    assert.equal(summed, table.total.bytes, name);
  }
  assert.ok(few.ledger.evicted.conversations > 0);
});

test("what a table misses is said in every form: beside rows for programs on stderr and in missing.csv", async () => {
  const few = { maxFlows: 10, table: "tcp" } as const;
  const sentence = /Missing: [\d,]+ × connection or part of one summed as other\./;
  for (const output of ["csv", "json", "ndjson"] as const) {
    const { out, terminal } = await run([SHOP], { ...few, output });
    assert.doesNotMatch(out, /Missing/);
    assert.match(terminal.said.join("\n"), new RegExp(`^tcp: ${sentence.source}$`, "m"));
    assert.doesNotMatch((await run([SHOP], { table: "tcp", output })).terminal.said.join("\n"), /Missing/);
  }
  for (const output of ["table", "markdown"] as const)
    for (const table of [undefined, "tcp"] as const) {
      const { table: _, ...whole } = few;
      const { out, terminal } = await run([SHOP], { ...whole, ...(table ? { table } : {}), output });
      assert.match(out, sentence);
      assert.doesNotMatch(terminal.said.join("\n"), /Missing/);
    }
  const terminal = createFakeTerminal();
  const folder = join(terminal.folder, "out");
  await analyze([SHOP], { output: "table", maxFlows: 10, outDir: folder }, "netwatch 0", terminal);
  const lines = readFileSync(join(folder, "missing.csv"), "utf8").trimEnd().split("\n");
  assert.equal(lines[0], "table,reason,count");
  for (const row of [
    /^pairs,conversation or part of one summed as other,[1-9]/,
    /^tcp,connection or part of one summed as other,[1-9]/,
  ])
    assert.ok(
      lines.some((line) => row.test(line)),
      String(row),
    );
  terminal.dispose();
});

test("--out-dir writes its files, readable by the owner alone", async () => {
  const terminal = createFakeTerminal();
  const folder = join(terminal.folder, "out");
  await analyze([SHOP], { output: "table", names: LAB, outDir: folder }, "netwatch 0", terminal);
  assert.deepEqual(readdirSync(folder).sort(), [
    "dns.csv",
    "http.csv",
    "missing.csv",
    "packets_per_service_pair.csv",
    "postgres.csv",
    "protocol_distribution.csv",
    "protocol_distribution.png",
    "redis.csv",
    "request_errors.png",
    "request_latency.png",
    "snapshot.json",
    "tcp.csv",
    "tcp_retransmissions.png",
    "tls.csv",
    "top_service_pairs.png",
    "top_talkers.csv",
    "top_talkers.png",
  ]);
  for (const name of readdirSync(folder))
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name);
  assert.equal(readFileSync(join(folder, "top_talkers.png")).subarray(1, 4).toString(), "PNG");
  assert.deepEqual(terminal.said, [`wrote 17 files to ${folder}`]);
  terminal.dispose();
});

test("a link in the output folder is replaced, never written through", async () => {
  const terminal = createFakeTerminal();
  const victim = join(terminal.folder, "victim");
  writeFileSync(victim, "untouched");
  symlinkSync(victim, join(terminal.folder, "snapshot.json"));
  await analyze([SHOP], { output: "table", outDir: terminal.folder }, "netwatch 0", terminal);
  assert.equal(readFileSync(victim, "utf8"), "untouched");
  terminal.dispose();
});

test("the snapshot is kept for report, its tables cut, mode 0600", async () => {
  const terminal = createFakeTerminal();
  await analyze([SHOP], { output: "table" }, "netwatch 0", terminal);
  const path = lastSnapshotPath(terminal.env);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(JSON.parse(readFileSync(path, "utf8")).format, "netwatch-snapshot");
  terminal.dispose();
});

test("a damaged file gives its good part, one line with file and offset, and its own exit code", async () => {
  const terminal = createFakeTerminal();
  const path = join(terminal.folder, "cut.pcapng");
  const bytes = readFileSync(SHOP);
  writeFileSync(path, bytes.subarray(0, bytes.length - 100_003));
  const code = await analyze([path], { output: "json" }, "netwatch 0", terminal);
  assert.equal(code, ExitCode.damaged);
  const snapshot = JSON.parse(terminal.out());
  assert.ok(snapshot.totals.packets > 4000);
  assert.equal(snapshot.ledger.complete, false);
  assert.equal(terminal.said.length, 1);
  assert.match(
    terminal.said[0]!,
    /cut\.pcapng: damaged at byte \d+: cut short in a block; [\d,]+ packets before it counted$/,
  );
  terminal.dispose();
});

test("what cannot be read is one clear line each and exit code 6; the rest is still reported", async () => {
  const missing = await fails(["/nowhere/a.pcap"], {});
  assert.deepEqual(
    [missing.exitCode, missing.message],
    [ExitCode.unreadable, "/nowhere/a.pcap: no such file or directory"],
  );
  const folder = await fails([ROOT], {});
  assert.deepEqual([folder.exitCode, folder.message], [ExitCode.unreadable, `${ROOT}: is a directory`]);
  const text = await fails([join(ROOT, "LICENSE")], {});
  assert.deepEqual(
    [text.exitCode, text.message],
    [ExitCode.unreadable, `${join(ROOT, "LICENSE")}: not a capture file (neither pcap nor pcapng)`],
  );
  const { code, terminal, out } = await run([SHOP, "/nowhere/a.pcap"], { output: "json" });
  assert.equal(code, ExitCode.unreadable);
  assert.deepEqual(terminal.said, ["/nowhere/a.pcap: no such file or directory"]);
  assert.ok(JSON.parse(out).totals.packets > 5000);
});

test("a names file with an error is named with its reason, before anything is read", async () => {
  const error = await fails([SHOP], { names: join(ROOT, "LICENSE") });
  assert.equal(error.exitCode, ExitCode.unreadable);
  assert.match(error.message, /^names file .*LICENSE: not JSON/);
});

test("csv without a table says which tables there are", async () => {
  const error = await fails([SHOP], { output: "csv" });
  assert.deepEqual(
    [error.exitCode, error.message],
    [
      ExitCode.usage,
      "-o csv prints one table: add --table pairs|protocols|talkers|conversations|endpoints|tcp|http|redis|postgres|dns|tls",
    ],
  );
});

test("fixtures/starttls.pcapng: TLS behind STARTTLS has the server names that tshark finds, and what was refused stays clear", async () => {
  const { out } = await run([join(ROOT, "fixtures/starttls.pcapng")], { output: "json", numeric: true });
  const { tables, ledger } = JSON.parse(out);
  // tshark -Y tls.handshake.type==1 -T fields -e tls.handshake.extensions_server_name
  const clear = ["ftp", "imap", "ldap", "lmtp", "nntp", "pop3", "postgres", "smtp", "xmpp"];
  assert.deepEqual(
    tables.tls.rows.map((row: Record<string, unknown>) => `${row.operation} ${row.version} ${row.requests}`),
    [...clear, "pg"]
      .map((name) => `${name}.example TLS 1.3 1`)
      .concat("injected.example TLS 1.2 1")
      .sort(),
  );
  assert.deepEqual(
    tables.postgres.rows.map((row: Record<string, unknown>) => `${row.operation} ${row.requests}`),
    ["(encrypted) 2", "(startup) 1", "SELECT 1"],
  );
  assert.equal(ledger.inspection.missed, undefined);
  assert.equal(ledger.complete, true);
});
