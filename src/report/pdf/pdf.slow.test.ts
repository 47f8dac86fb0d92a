import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { ringSnapshot } from "../ring.test.fixture.js";
import { renderPdf } from "./pdf.js";
import { SECTIONS } from "./sections.js";

const DATE = new Date("2026-11-22T12:00:00Z");
const poppler = spawnSync("pdftotext", ["-v"]).error
  ? "pdftotext (package poppler-utils) is not installed"
  : false;

/** What a tool of poppler says of a PDF. */
function ask(pdf: Uint8Array, tool: "pdftotext" | "pdfinfo", options: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-pdf-"));
  try {
    const path = join(folder, "a.pdf");
    writeFileSync(path, pdf);
    return execFileSync(tool, [...options, path, ...(tool === "pdftotext" ? ["-"] : [])], {
      encoding: "utf8",
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function countPages(pdf: Uint8Array): number {
  return (
    Buffer.from(pdf)
      .toString("latin1")
      .split(/\/Type \/Page\b(?!s)/).length - 1
  );
}

const THREE = ringSnapshot(["gateway", "orders", "database"]);

test("the same snapshot and date give the same bytes, in any time zone and language", async () => {
  const first = await renderPdf(THREE, { title: "T", date: DATE });
  const again = await renderPdf(THREE, { title: "T", date: DATE });
  assert.deepEqual(Buffer.from(again), Buffer.from(first));
  const here = (name: string) => pathToFileURL(join(import.meta.dirname, name)).href;
  const script = `
    const { renderPdf } = await import(${JSON.stringify(here("pdf.js"))});
    const { ringSnapshot } = await import(${JSON.stringify(here("../ring.test.fixture.js"))});
    const pdf = await renderPdf(ringSnapshot(["gateway", "orders", "database"]), { title: "T", date: new Date(${DATE.getTime()}) });
    process.stdout.write(pdf);`;
  const elsewhere = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, TZ: "Pacific/Kiritimati", LANG: "ar_EG.UTF-8", LC_ALL: "ar_EG.UTF-8" },
    maxBuffer: 2 ** 24,
  });
  assert.ok(elsewhere.equals(Buffer.from(first)));
});

test("names and totals can be selected as text", { skip: poppler }, async () => {
  const text = ask(await renderPdf(THREE, { title: "Review of the ring", date: DATE }), "pdftotext", [
    "-layout",
  ]);
  for (const part of [
    "Review of the ring",
    "ring.pcap",
    "gateway",
    "orders:80",
    "database",
    "5.9 KiB",
    "gateway sends the most",
    "2026-11-22 10:31:05 to 10:31:25 UTC",
  ])
    assert.ok(text.includes(part), part);
  assert.match(text, /1 of \d+/);
});

test("5,000 services fit into 20 pages, and what is left out is said", { skip: poppler }, async () => {
  const services = Array.from({ length: 5000 }, (_, i) => `service-${i}`);
  const pdf = await renderPdf(ringSnapshot(services), { title: "T", date: DATE });
  assert.ok(countPages(pdf) < 20, `${countPages(pdf)} pages`);
  assert.ok(pdf.length < 1_500_000);
  assert.match(ask(pdf, "pdftotext"), /and 4,970 more/);
});

test("has an outline with every section, and names its title", async () => {
  const pdf = await renderPdf(THREE, { title: "T", date: DATE });
  const text = Buffer.from(pdf).toString("latin1");
  assert.match(text, /\/Type \/Outlines|\/Outlines \d/);
  for (const title of ["Service map", "Throughput over time", "Service pairs", "Top talkers", "Appendix"])
    assert.ok(text.includes(`/Title (${title})`), title);
});

test("every section alone, an empty capture and a single service make a document", async () => {
  for (const section of SECTIONS) {
    for (const services of [[], ["alone"], ["a", "b"]]) {
      const pdf = await renderPdf(ringSnapshot(services), { title: "T", date: DATE, sections: [section] });
      assert.ok(countPages(pdf) >= 1, section);
    }
  }
  assert.ok(countPages(await renderPdf(ringSnapshot([]), { title: "T", date: DATE })) <= 3);
});

test("says on every page that a capture is incomplete", { skip: poppler }, async () => {
  const snapshot = { ...THREE, ledger: { ...THREE.ledger, dropped: 1234, complete: false } };
  const pdf = await renderPdf(snapshot, { title: "T", date: DATE });
  const marks = ask(pdf, "pdftotext").match(/INCOMPLETE: 1,234 packets lost/g);
  assert.equal(marks?.length, countPages(pdf));
});

test("says below a table what it misses, in the appendix, and of a protocol of which nothing was counted", {
  skip: poppler,
}, async () => {
  const missed = [
    { application: "tls", reason: "unreadable message", count: 1200 },
    { application: "tcp", reason: "connection without room", count: 4 },
  ];
  const inspection = { ...THREE.ledger.inspection!, connections: 3, missed };
  const snapshot = { ...THREE, ledger: { ...THREE.ledger, inspection } };
  const text = ask(await renderPdf(snapshot, { title: "T", date: DATE }), "pdftotext", ["-layout"]);
  assert.match(text, /^ *Missing: 3 × connection or part of one summed as other\.$/m);
  assert.match(text, /TLS\. Missing: 1,200 × unreadable message\./);
  assert.match(text, /Missing of requests: 4 ×/);
  assert.match(text, /Missing: TLS.* 1,200 +unreadable message/);
  assert.match(text, /Missing: requests +4 +connection without room/);
  assert.match(text, /Complete +no/);
  assert.doesNotMatch(text, /INCOMPLETE/);
  assert.doesNotMatch(ask(await renderPdf(THREE, { title: "T", date: DATE }), "pdftotext"), /[Mm]issing:/);
});

test("the appendix says what the ledger does not know, not 0", { skip: poppler }, async () => {
  const ledger = { ...THREE.ledger, timeless: null, evicted: null, inspection: null };
  const text = ask(await renderPdf({ ...THREE, ledger }, { title: "T", date: DATE }), "pdftotext", [
    "-layout",
  ]);
  for (const entry of ["Without a time", "Evicted", "Missing: requests", "Missing: TCP.*", "Complete"])
    assert.match(text, new RegExp(`^ *${entry} +not known `, "m"));
  assert.match(text, /Not known: how many packets have no time/);
});

const HOSTILE = [
  "esc\u001b[31mred\u0007",
  "bidi\u202egnp.exe",
  ")>> /OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >> (",
  "back\\slash(paren",
  "/URI (http://x) /Launch",
  "__proto__",
  "constructor",
  "toString",
  "n".repeat(300),
  "日本語サービス",
  "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
  "emoji \u{1f600}",
  "Каталог Ελληνικά",
  "\ud800 lone",
  "",
  " ".repeat(100_000),
];

test("hostile names neither break nor enter the document", async () => {
  const pdf = await renderPdf(ringSnapshot(HOSTILE), { title: HOSTILE.join(" "), date: DATE });
  const outside = Buffer.from(pdf)
    .toString("latin1")
    .replace(/stream\r?\n.*?endstream/gs, "")
    .replace(/\((?:\\.|[^\\)])*\)/gs, "()");
  assert.doesNotMatch(outside, /\/(?:JS|JavaScript|URI|Launch|OpenAction|AA|EmbeddedFile)\b/);
  assert.ok(countPages(pdf) < 20);
});

/** A snapshot with trouble between services of these names. */
function troubled(names: readonly string[]): Snapshot {
  const snapshot = ringSnapshot(["a", "b"]);
  const requests = names.map((name, i) => ({
    source: name,
    destination: "b",
    operation: `GET ${name}`,
    requests: 100 - i,
    errors: 10 + i,
    unanswered: 1,
    p50_ms: 0.02,
    p95_ms: 4 + i,
    p99_ms: 1234.5,
  }));
  const pairs = names.map((name, i) => ({
    source: name,
    destination: "b",
    connections: 9,
    segments: 1000,
    retransmissions: 100 - i,
    retransmission_ratio: (100 - i) / 1000,
  }));
  const { tables } = snapshot;
  return {
    ...snapshot,
    tables: {
      ...tables,
      tcp: { ...tables.tcp, rows: pairs, total: { retransmissions: 12_345 } },
      http: { ...tables.http!, rows: requests, total: { requests: 9999, errors: 777 } },
    },
  };
}

test("TCP's health and the applications: worst first, the rest summed", { skip: poppler }, async () => {
  const names = Array.from({ length: 40 }, (_, i) => `service-${i}`);
  const sections = ["tcp", "applications"] as const;
  const pdf = await renderPdf(troubled(names), { title: "T", date: DATE, sections });
  const text = ask(pdf, "pdftotext", ["-layout"]);
  assert.match(text, /Retransmissions\n[\s\S]*service-0\b[\s\S]*100 · 10\.0 %/);
  assert.match(text, /and 20 more +(?:\S+ +)*?10,535/); // 12,345 less 100 + 99 + ... + 81
  assert.match(text, /Latency\n[\s\S]*GET service-39[\s\S]*43\.0 ms/);
  assert.match(text, /Errors\n[\s\S]*GET service-39[\s\S]*49 · 81\.7 %/);
  assert.match(text, /and 25 more +8,604 +522/);
});

test("hostile operations neither break nor stretch the document", async () => {
  const pdf = await renderPdf(troubled(HOSTILE), {
    title: "T",
    date: DATE,
    sections: ["tcp", "applications"],
  });
  assert.ok(countPages(pdf) <= 8, `${countPages(pdf)}`);
});

test("names in other scripts are shown, or replaced by their codes", { skip: poppler }, async () => {
  const pdf = await renderPdf(ringSnapshot(HOSTILE), { title: "T", date: DATE, sections: ["talkers"] });
  const text = ask(pdf, "pdftotext", ["-layout"]);
  for (const part of [
    "Каталог Ελληνικά",
    "\\u65e5\\u672c\\u8a9e",
    "emoji \\u{1f600}",
    "esc\\x1b[31mred\\x07",
    "bidi\\u202egnp.exe",
    "__proto__",
  ])
    assert.ok(text.includes(part), part);
  assert.doesNotMatch(text, /[\u001b\u202e]/);
});
