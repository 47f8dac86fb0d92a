import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { cpuUsed, readCpuTimes } from "./cpu-time.js";
import { turns } from "./rounds.js";

test("modes take turns, each once a round, and neither stands earlier on the whole", () => {
  assert.deepEqual(turns(["A", "B"], 4), ["A", "B", "B", "A", "A", "B", "B", "A"]);
  assert.deepEqual(turns(["A"], 3), ["A", "A", "A"]);
  const order = turns(["A", "B"], 8);
  const places = (mode: string) => order.reduce((sum, one, i) => sum + (one === mode ? i : 0), 0);
  assert.equal(places("A"), places("B"));
});

test("CPU time is the sum over threads, between two looks; who began meanwhile counts, who ended does not", () => {
  const proc = mkdtempSync(join(tmpdir(), "netwatch-proc-"));
  const thread = (pid: number, tid: number, seconds: number) => {
    mkdirSync(join(proc, `${pid}/task/${tid}`), { recursive: true });
    writeFileSync(join(proc, `${pid}/task/${tid}/schedstat`), `${seconds * 1e9} 5 7\n`);
  };
  try {
    thread(10, 10, 2);
    thread(10, 11, 1);
    thread(20, 20, 5);
    const before = readCpuTimes([10, 20, 999], proc);
    assert.deepEqual(
      before,
      new Map([
        [10, 3],
        [20, 5],
      ]),
    );
    thread(10, 11, 1.5);
    thread(30, 30, 0.25);
    rmSync(join(proc, "20"), { recursive: true });
    assert.equal(cpuUsed(before, readCpuTimes([10, 20, 30], proc)), 0.75);
    assert.equal(readCpuTimes([999], proc), null, "nothing is kept: not known, not 0");
    assert.equal(cpuUsed(null, before), null);
  } finally {
    rmSync(proc, { recursive: true });
  }
});
