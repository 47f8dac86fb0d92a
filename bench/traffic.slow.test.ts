import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { analyzeFiles } from "../src/api.js";
import { PROTOCOLS } from "./payloads.js";
import { writeFlood, writeFlows, writeReal, writeTalks } from "./traffic.js";

const WRITERS: Readonly<Record<string, (path: string) => void>> = {
  flows: (path) => writeFlows(path, { packets: 12_000, conversations: 200, payload: 8, closes: true }),
  talks: (path) => writeTalks(path, PROTOCOLS, 25, 500),
  real: (path) => writeReal(path, 100_000),
  flood: (path) => writeFlood(path, 2000),
};
const isTsharkThere = spawnSync("tshark", ["--version"]).status === 0;

function withFile(name: string, work: (path: string) => Promise<void> | void): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "netwatch-traffic-"));
    try {
      const path = join(folder, "capture.pcap");
      WRITERS[name]!(path);
      await work(path);
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
}

for (const name of Object.keys(WRITERS)) {
  test(
    `${name}: the same bytes each time, and TCP finds nothing wrong`,
    withFile(name, async (path) => {
      const first = readFileSync(path);
      WRITERS[name]!(path);
      assert.ok(first.equals(readFileSync(path)));
      const { snapshot, problems } = await analyzeFiles([path]);
      assert.deepEqual(problems, []);
      const rows = [...snapshot.tables.tcp!.rows];
      assert.ok(rows.length > 0);
      for (const column of ["retransmissions", "out_of_order", "duplicate_acks", "zero_windows"])
        assert.deepEqual(new Set(rows.map((row) => row[column])), new Set([0]), column);
    }),
  );

  test(
    `${name}: tshark finds nothing wrong`,
    { skip: isTsharkThere ? false : "tshark is not installed" },
    withFile(name, (path) => {
      const wrong = "tcp.analysis.flags || ip.checksum.status == 0 || _ws.malformed";
      const words = ["-n", "-o", "ip.check_checksum:TRUE", "-r", path, "-Y", wrong];
      const { status, stdout } = spawnSync("tshark", words, { encoding: "utf8" });
      assert.equal(status, 0);
      assert.equal(stdout, "");
    }),
  );
}

test(
  "every protocol has its requests found, all answered",
  withFile("talks", async (path) => {
    const { snapshot } = await analyzeFiles([path]);
    for (const { table } of PROTOCOLS) {
      const rows = [...snapshot.tables[table]!.rows];
      const sum = (column: string) => rows.reduce((all, row) => all + Number(row[column]), 0);
      // 5 conversations of each, 20 exchanges in each. PostgreSQL's logins count too, of TLS the handshakes alone.
      assert.equal(sum("requests"), { postgres: 105, tls: 5 }[table] ?? 100, table);
      assert.equal(sum("unanswered"), 0, table);
    }
  }),
);

test(
  "the real shape has its source's share of short flows",
  withFile("real", async (path) => {
    const { snapshot } = await analyzeFiles([path]);
    const rows = [...snapshot.tables.conversations!.rows];
    const lengths = rows.map((row) => Number(row.packets) + Number(row.reply_packets));
    const short = lengths.filter((length) => length <= 2).length / lengths.length;
    assert.ok(Math.abs(short - 0.653) < 0.05, `${short}`);
  }),
);
