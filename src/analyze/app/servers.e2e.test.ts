/** Real servers on the loopback of a namespace: the counts from the wire equal the servers' own, or known numbers. */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { openFile } from "../../capture/file/bytes.js";
import { CaptureReader, readPackets } from "../../capture/file/file.js";
import { reasonToSkip, type TestNetwork, withTestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { PATIENCE_MS } from "../../until.test.fixture.js";
import { Analyzer } from "../analyzer.js";
import { postgresOutcome } from "./postgres/postgres-keywords.js";
import { redisOutcome } from "./redis/redis-keywords.js";

const PORT = 7379;
/** More than the work of a test puts on the wire, so that nothing is lost while tcpdump waits for a processor. */
const RING_KIB = 192 * 1024;

/** Starts a program in a namespace and takes it down at the end. */
class Program {
  readonly #child: ChildProcess;
  said = "";

  constructor(netns: string, words: readonly string[], cwd: string) {
    this.#child = spawn("ip", ["netns", "exec", netns, ...words], {
      stdio: ["ignore", "ignore", "pipe"],
      cwd,
    });
    this.#child.stderr!.on("data", (piece: Buffer) => {
      this.said += piece.toString();
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(signal);
    await once(this.#child, "close");
  }
}

/** Tries until it works. */
async function until(attempt: () => void): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await setTimeout(100))
    try {
      attempt();
      return;
    } catch {}
  attempt();
}

/** A datagram of this text to the discard port, again and again until tcpdump has written one. Packets are written in their order. */
async function marked(network: TestNetwork, netns: string, file: string, text: string): Promise<void> {
  const code = `const s = require("dgram").createSocket("udp4"); s.send("${text}", 9, "127.0.0.1", () => s.close());`;
  await until(() => {
    network.script(netns, code);
    assert.ok(existsSync(file) && readFileSync(file).includes(text), `no ${text} in the capture`);
  });
}

/** Records the loopback while `work` runs, and reads it. */
async function recorded(
  network: TestNetwork,
  netns: string,
  folder: string,
  work: () => void,
): Promise<Analyzer> {
  const file = join(folder, "capture.pcap");
  const words = ["tcpdump", "-i", "lo", "-B", String(RING_KIB), "-U", "-Z", "root", "-w", file];
  const tcpdump = new Program(netns, [...words, "tcp or udp port 9"], folder);
  try {
    await marked(network, netns, file, "the work begins");
    work();
    await marked(network, netns, file, "the work has ended");
  } finally {
    await tcpdump.end("SIGINT");
  }
  assert.match(tcpdump.said, /^0 packets dropped by kernel$/m);
  const analyzer = new Analyzer();
  const reader = await CaptureReader.open(file, openFile(file));
  await readPackets(
    [reader],
    (packet) => analyzer.add(packet),
    () => analyzer.flush(),
  );
  reader.close();
  return analyzer;
}

/** Requests by operation, and outcomes by their names, of one protocol. */
function counted(analyzer: Analyzer, application: string, nameOf: (outcome: number) => string) {
  const requests: Record<string, number> = {};
  const outcomes: Record<string, number> = {};
  let waiting = 0;
  for (const operation of analyzer.inspector.operations.list) {
    if (operation.application !== application) continue;
    const { name, answered, lost } = operation;
    requests[name] = (requests[name] ?? 0) + operation.requests;
    waiting += operation.requests - answered - lost;
    for (const [outcome, count] of operation.outcomes)
      outcomes[nameOf(outcome)] = (outcomes[nameOf(outcome)] ?? 0) + count;
  }
  return { requests, outcomes, waiting };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-servers-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** INFO's lines `PREFIX_name:calls=3,...` as numbers by name. */
function statistics(info: string, prefix: string, field: string): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [, name, values] of info.matchAll(new RegExp(`^${prefix}_(\\S+?):(\\S+)`, "gm"))) {
    const value = new RegExp(`\\b${field}=(\\d+)`).exec(values!);
    found[name!.replace("|", " ").toUpperCase()] = Number(value![1]);
  }
  return found;
}

const COMMANDS = `SET secret 1
INCR secret
LPUSH secret x
GET missing
CONFIG GET maxmemory
OBJECT ENCODING secret
MULTI
SET a 1
INCRBY a 2
EXEC
EVALSHA 0123456789012345678901234567890123456789 0
HSET h f v
HGETALL h
XADD s * f v
XINFO STREAM s FULL
CLIENT LIST
COMMAND DOCS GET SET HGETALL
`;

/**
 * Requests of redis-benchmark that go ahead together. It sends whole batches and leaves once it has as many answers as it was asked for:
 * only a multiple of the batch has every request answered.
 */
const PIPELINED = 16;

function askRedis(network: TestNetwork, netns: string): string {
  const cli = (words: readonly string[], input = "") =>
    network.run(netns, "redis-cli", ["-h", "127.0.0.1", "-p", String(PORT), ...words], input);
  cli(["-2"], COMMANDS);
  cli(["-3"], COMMANDS);
  cli(["--pipe"], "SET p 1\r\n".repeat(3000) + "INCR n\r\n".repeat(500));
  const load = (count: number, ...rest: string[]) =>
    network.run(netns, "redis-benchmark", [
      ...["-h", "127.0.0.1", "-p", String(PORT), "-q", "-c", "5", "-r", "50", "-n", String(count)],
      ...rest,
    ]);
  load(125 * PIPELINED, "-P", String(PIPELINED), "-t", "get,lpush", "-d", "3000");
  load(13 * PIPELINED, "-P", String(PIPELINED), "-t", "lrange_100,mset", "-d", "3000");
  load(2000, "-3", "-t", "set,hset,zadd");
  return cli(["INFO", "everything"]);
}

test(
  "Redis: every command and error that the server counts is found, none waits",
  {
    skip: reasonToSkip("redis-server", "redis-cli", "redis-benchmark", "tcpdump"),
  },
  () =>
    withTestNetwork((network) =>
      inFolder(async (folder) => {
        const netns = network.add();
        const words = ["redis-server", "--port", String(PORT), "--bind", "127.0.0.1", "--save", ""];
        const server = new Program(netns, words, folder);
        try {
          await until(() => network.run(netns, "redis-cli", ["-p", String(PORT), "CONFIG", "RESETSTAT"]));
          let info = "";
          const analyzer = await recorded(network, netns, folder, () => {
            info = askRedis(network, netns);
          });
          const { requests, outcomes, waiting } = counted(analyzer, "redis", redisOutcome);
          const calls = statistics(info, "cmdstat", "calls");
          delete calls["CONFIG RESETSTAT"];
          // What asks for the statistics is not in them yet.
          calls.INFO = 1;
          assert.deepEqual(requests, calls);
          for (const [error, count] of Object.entries(statistics(info, "errorstat", "count")))
            assert.equal(outcomes[error], count, error);
          assert.equal(outcomes.QUEUED, 4);
          assert.equal(waiting, 0);
          assert.equal(analyzer.inspector.gaps, 0);
        } finally {
          await server.end("SIGTERM");
        }
      }),
    ),
);

const BIN = (() => {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root) : [];
  const found = versions
    .map((version) => `${root}/${version}/bin`)
    .find((path) => existsSync(`${path}/initdb`));
  return found ?? null;
})();

const SETUP = `CREATE TABLE secret (id int primary key, v text);
INSERT INTO secret SELECT g, repeat('x', 100) FROM generate_series(1, 2000) g;
SELECT * FROM secret;
SELECT nosuch FROM secret;
INSERT INTO secret VALUES (1, 'secret');
SELECT 1/0;
COPY secret TO STDOUT;
COPY secret FROM STDIN;
900001	secret
900002	secret
\\.
BEGIN\\; UPDATE secret SET v = 'y' WHERE id = 1\\; COMMIT;
DO $$ BEGIN RAISE NOTICE 'secret'; END $$;
`;
const TRANSACTION = `BEGIN;
INSERT INTO t VALUES (1, 'secret');
SELECT count(*) FROM t;
UPDATE secret SET v = 'z' WHERE id = 7;
END;
`;
const CLIENTS = 3;
const TRANSACTIONS = 20;
const MODES = ["simple", "extended", "prepared"];

function askPostgres(network: TestNetwork, netns: string, folder: string): void {
  const at = ["-h", "127.0.0.1", "-p", String(PORT), "-U", "postgres"];
  network.run(netns, `${BIN}/psql`, [...at, "-X", "-q", "postgres"], SETUP);
  network.run(netns, `${BIN}/psql`, [...at, "-X", "-q", "-c", "CREATE TABLE t (a int, b text)", "postgres"]);
  const script = join(folder, "transaction.sql");
  writeFileSync(script, TRANSACTION);
  for (const mode of MODES)
    network.run(netns, `${BIN}/pgbench`, [
      ...[...at, "-n", "-M", mode, "-c", String(CLIENTS), "-t", String(TRANSACTIONS), "-f", script],
      "postgres",
    ]);
}

test(
  "PostgreSQL: known statements and errors are found, in simple, extended and prepared queries",
  {
    skip: reasonToSkip("tcpdump", "setpriv") || (BIN === null && "needs PostgreSQL"),
  },
  () =>
    withTestNetwork((network) =>
      inFolder(async (folder) => {
        const netns = network.add();
        const [uid, gid] = ["-u", "-g"].map((flag) =>
          Number(execFileSync("id", [flag, "postgres"], { encoding: "utf8" })),
        );
        chownSync(folder, uid!, gid!);
        const as = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
        const data = join(folder, "data");
        execFileSync(
          as[0]!,
          [...as.slice(1), `${BIN}/initdb`, "-D", data, "-A", "trust", "-N", "-U", "postgres"],
          { stdio: "ignore", cwd: folder },
        );
        const settings = [
          "-k",
          folder,
          "-h",
          "127.0.0.1",
          "-p",
          String(PORT),
          "-F",
          "-c",
          "wal_level=minimal",
          "-c",
          "max_wal_senders=0",
        ];
        const server = new Program(netns, [...as, `${BIN}/postgres`, "-D", data, ...settings], folder);
        try {
          await until(() => network.run(netns, `${BIN}/pg_isready`, ["-h", "127.0.0.1", "-p", String(PORT)]));
          const analyzer = await recorded(network, netns, folder, () => askPostgres(network, netns, folder));
          const { requests, outcomes, waiting } = counted(analyzer, "postgres", postgresOutcome);
          const transactions = MODES.length * CLIENTS * TRANSACTIONS;
          // pgbench looks with one more connection whether the database is there.
          const connections = 2 + MODES.length * (CLIENTS + 1);
          assert.deepEqual(requests, {
            "(startup)": connections,
            "CREATE TABLE": 2,
            INSERT: 2 + transactions,
            SELECT: 3 + transactions,
            COPY: 2,
            BEGIN: 1 + transactions,
            DO: 1,
            UPDATE: transactions,
            END: transactions,
          });
          const failed = { "42703": 1, "23505": 1, "22012": 1 };
          const all = Object.values(requests).reduce((sum, n) => sum + n, 0);
          assert.deepEqual(outcomes, { "00000": all - 3, ...failed });
          assert.equal(waiting, 0);
          assert.equal(analyzer.inspector.gaps, 0);
        } finally {
          await server.end("SIGINT");
        }
      }),
    ),
);
