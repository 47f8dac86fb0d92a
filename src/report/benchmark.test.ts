import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Benchmark } from "../analyze/benchmark/benchmark.js";
import {
  makeBenchmark,
  makeMode,
  makeRounds,
  makeWire,
} from "../analyze/benchmark/benchmark.test.fixture.js";
import { hopsOf } from "./benchmark-rows.js";
import { renderBenchmarkPdf } from "./pdf/benchmark-pdf.js";

const poppler = spawnSync("pdftotext", ["-v"]).error
  ? "pdftotext (package poppler-utils) is not installed"
  : false;
const LAB = [1054, 1031, 1077, 1049, 1062, 870, 1058];
const BOTH = makeBenchmark([
  makeMode("lab", makeRounds(LAB, 0), makeWire()),
  makeMode("docker", makeRounds([812, 806, 831, 799, 820, 815, 790], 1), makeWire()),
]);

async function textOf(benchmark: Benchmark): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-pdf-"));
  try {
    const path = join(folder, "a.pdf");
    writeFileSync(path, await renderBenchmarkPdf(benchmark));
    return execFileSync("pdftotext", ["-layout", path, "-"], { encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the same benchmark gives the same bytes", async () => {
  const [first, again] = [await renderBenchmarkPdf(BOTH), await renderBenchmarkPdf(BOTH)];
  assert.deepEqual(Buffer.from(again), Buffer.from(first));
});

test("findings, rule, figures and every round can be read in it", { skip: poppler }, async () => {
  const text = await textOf(BOTH);
  const flat = text.replace(/\s+/g, " ");
  for (const part of [
    "fewer requests a second (0.77 times)",
    "The rule",
    "1,054 ± <1 %",
    "client → nginx-lb",
  ])
    assert.ok(flat.includes(part), part);
  assert.equal(text.match(/^\s*\d+\s+(lab|docker)\s+1,000\s/gm)?.length, 14);
});

test("one mode, nothing seen on the wire and no CPU known: those parts are not there", {
  skip: poppler,
}, async () => {
  const rounds = makeRounds([54.2, 53.9], 0).map((round) => ({ ...round, cpu_seconds_per_request: null }));
  const text = await textOf(makeBenchmark([makeMode("lab", rounds)]));
  for (const absent of ["On the wire", "The rule", "Verdict", "NaN", "undefined"])
    assert.ok(!text.includes(absent), absent);
  assert.match(text, /54\.0 ± <1 %|54\.1 ± <1 %/);
});

test("a hop is one line for both modes, whoever of the two began more; small ones are left out", () => {
  const turned = makeWire();
  const hops = turned.hops.map((hop, i) =>
    i === 1 ? { ...hop, client: hop.server, server: hop.client } : hop,
  );
  const modes = [
    makeMode("lab", makeRounds(LAB, 0), makeWire()),
    makeMode("docker", makeRounds(LAB, 1), { ...turned, hops }),
  ];
  assert.deepEqual(
    hopsOf(modes).map(({ name, bytes }) => [name, bytes.length, bytes.includes(null)]),
    [
      ["client → nginx-lb", 2, false],
      ["api-gateway → product-service", 2, false],
      ["nginx-lb → api-gateway", 2, false],
      ["product-service → redis-cache", 2, false],
    ],
  );
});
