import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { z } from "zod";
import { SEED } from "../../capture/file/sample.test.fixture.js";
import { ROOT } from "../../commands/terminal.test.fixture.js";
import { renderSnapshotJson } from "../../report/data/json.js";
import { parseSnapshot } from "./read-snapshot.js";
import { readerOf } from "./reading.js";
import { snapshotSchema } from "./snapshot.js";

/** As version 0.1 wrote it. */
const text = readFileSync(join(ROOT, "fixtures/snapshot.0.1.json"), "utf8");
/** A fresh copy, which the caller may change. */
const kept = () => JSON.parse(text);
const validate = new Ajv2020({ strict: false }).compile(z.toJSONSchema(snapshotSchema));
const strict = (value: unknown): boolean => validate(value);

test("a Snapshot that an earlier release kept is read whole", () => {
  const read = JSON.parse([...renderSnapshotJson(parseSnapshot(text), false)].join(""));
  assert.ok(strict(read), JSON.stringify(validate.errors));
  const { tables, ...rest } = kept();
  assert.deepEqual({ ...read, tables: null }, { ...rest, version: 2, tables: null });
  for (const [name, table] of Object.entries<ReturnType<typeof kept>>(tables)) {
    const { columns, rows, total, omitted } = read.tables[name];
    assert.deepEqual([rows, total, omitted], [table.rows, table.total, table.omitted]);
    assert.deepEqual(
      columns.map(({ name, title, kind }: Record<string, unknown>) => ({ name, title, kind })),
      table.columns,
    );
    assert.ok(
      columns.some(({ priority }: Record<string, unknown>) => priority === 1),
      `${name} says who a row is about`,
    );
  }
});

test("what a later version adds is ignored: fields, columns' facts, words of closed sets; a table is read as it says", () => {
  const later = kept();
  later.verdict = { on: "everything" };
  later.ledger.complete_since = "2026";
  later.ledger.files[0].checksum = "abc";
  later.window.zone = "UTC";
  later.tables.grpc = later.tables.http;
  later.tables.pairs.columns[0].hint = "a name";
  later.tables.pairs.sorted = true;
  later.series.classes[0].color = "red";
  later.findings[0].severity = "fatal";
  later.tables.pairs.columns.push({ name: "since", title: "Since", kind: "date" });
  for (const row of later.tables.pairs.rows) row.since = "2026-11-22";
  const read = parseSnapshot(JSON.stringify(later));
  assert.deepEqual(read.tables.pairs.columns.at(-1), { name: "since", title: "Since", kind: "text" });
  assert.equal([...read.tables.pairs.rows][0]!.since, "2026-11-22");
  assert.equal(read.findings[0]!.severity, "notice");
  const known = JSON.parse([...renderSnapshotJson(read, false)].join(""));
  assert.ok(strict(known), JSON.stringify(validate.errors));
  assert.deepEqual(Object.keys(known.tables), [...Object.keys(kept().tables), "grpc"]);
  assert.ok(!strict(later), "what is written stays strictly checked");
});

function earlierSeries() {
  const { series: _, ...earlier } = kept();
  return parseSnapshot(JSON.stringify(earlier)).series;
}

test("what an earlier version lacks is taken as empty or not known", () => {
  const earlier = kept();
  delete earlier.tables.tls;
  delete earlier.tables.pairs.rows;
  delete earlier.findings;
  delete earlier.ledger.interfaces;
  delete earlier.ledger.dropped;
  delete earlier.ledger.unresolved_bytes;
  earlier.tables.tcp.columns.pop();
  delete earlier.tables.tcp.total;
  const { tables, findings, ledger } = parseSnapshot(JSON.stringify(earlier));
  assert.deepEqual([tables.tls!.rows, tables.tls!.columns.length > 5], [[], true]);
  assert.equal(tables.pairs.rows.length, 0);
  assert.deepEqual(findings, []);
  assert.deepEqual([ledger.interfaces, ledger.dropped, ledger.unresolved_bytes], [null, null, null]);
  assert.equal(tables.tcp.rows.length, 2);
  assert.deepEqual(earlierSeries(), { start: null, step: 1, classes: [] });
});

test("what a ledger lacks is not known", () => {
  const earlier = kept();
  for (const fact of ["timeless", "evicted", "inspection", "rounded"]) delete earlier.ledger[fact];
  const read = parseSnapshot(JSON.stringify(earlier));
  const { timeless, evicted, inspection, rounded } = read.ledger;
  assert.deepEqual([timeless, evicted, inspection, rounded], [null, null, null, false]);
  assert.ok(strict(JSON.parse([...renderSnapshotJson(read, false)].join(""))));
});

test("bytes beyond 2^53 are rounded, though an earlier Snapshot does not say so", () => {
  const large = kept();
  delete large.ledger.rounded;
  large.totals.bytes = 2 ** 54;
  assert.equal(parseSnapshot(JSON.stringify(large)).ledger.rounded, true);
});

test("a Snapshot that is none is refused in one short line", () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [null, /^not a snapshot: value: /],
    [[], /^not a snapshot: value: /],
    [{ ...kept(), version: 3 }, /^a snapshot of version 3; this netwatch reads version 2$/],
    [{ ...kept(), version: "1" }, /: version: /],
    [{ ...kept(), format: "x" }, /: format: /],
    [{ ...kept(), totals: { packets: -1, bytes: 0 } }, /: totals.packets: /],
    [{ ...kept(), series: { start: null, step: 0, classes: [] } }, /: series.step: /],
    [{ ...kept(), tables: null }, /: tables: /],
    [{ ...kept(), tables: { ...kept().tables, pairs: 7 } }, /: tables.pairs: /],
    [
      { ...kept(), tables: { ...kept().tables, pairs: { ...kept().tables.pairs, rows: [7] } } },
      /pairs.rows.0: /,
    ],
    [{ ...kept(), ledger: { ...kept().ledger, dropped: "7" } }, /: ledger.dropped: /],
    [{ ...kept(), producer: undefined }, /: producer: /],
  ];
  for (const [value, message] of cases)
    assert.throws(
      () => parseSnapshot(JSON.stringify(value)),
      (error: Error) =>
        message.test(error.message) && !/[\n\x1b]/.test(error.message) && error.message.length < 400,
      String(message),
    );
  assert.throws(() => parseSnapshot("{"), { message: "not JSON" });
  assert.throws(() => parseSnapshot("[".repeat(100_000)), { message: "not JSON" });
  assert.throws(() => parseSnapshot("[".repeat(100_000) + "]".repeat(100_000)), /^Error: not a snapshot/);
});

test("a table of more columns than any has is refused: each row would cost as much", () => {
  const wide = kept();
  wide.tables.pairs.columns = Array.from({ length: 1001 }, (_, i) => ({
    name: `c${i}`,
    title: "",
    kind: "text",
  }));
  assert.throws(() => parseSnapshot(JSON.stringify(wide)), /: tables.pairs.columns: /);
});

test("names that every object has are names like any other", () => {
  const odd = kept();
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
  const json = JSON.stringify(odd)
    .replace(
      '"tables":{"pairs":{',
      '"__proto__":{"polluted":1},"tables":{"__proto__":{"name":1},"pairs":{"__proto__":7,',
    )
    .replace(
      '"columns":[',
      `"columns":[${names.map((name) => `{"name":"${name}","title":"${name}","kind":"count"},`).join("")}`,
    )
    .replace('"rows":[{', '"rows":[{"__proto__":3,"constructor":4,');
  const { tables } = parseSnapshot(json);
  const [first, second] = [...tables.pairs.rows];
  assert.deepEqual(
    names.map((name) => first![name]),
    [3, 4, null, null],
  );
  assert.deepEqual(
    names.map((name) => second![name]),
    [null, null, null, null],
  );
  assert.equal(tables.pairs.total.constructor, undefined);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
});

test("a cell that is no cell is not known; of two columns of one name the first counts", () => {
  const odd = kept();
  odd.tables.pairs.rows[0].bytes = { much: 1 };
  odd.tables.pairs.rows[1].bytes = [1];
  odd.tables.pairs.columns.push({ ...odd.tables.pairs.columns[0], title: "again" });
  odd.tables.pairs.total.bytes = "many";
  odd.tables.dns.omitted = 3;
  const json = JSON.stringify(odd).replace(/"bytes":\d+,"share"/, '"bytes":1e999,"share"');
  const { tables } = parseSnapshot(json);
  assert.deepEqual(
    [...tables.pairs.rows].slice(0, 3).map(({ bytes }) => bytes),
    [null, null, null],
  );
  assert.equal(tables.pairs.columns.length, kept().tables.pairs.columns.length);
  assert.equal(tables.pairs.total.bytes, undefined);
  assert.equal(tables.dns!.omitted, 0, "a table without rows has no row `other`");
});

test("property: whatever stands in any place of a Snapshot, it is read or refused in one line", () => {
  const places: string[][] = [];
  const walk = (value: unknown, path: string[]) => {
    places.push(path);
    if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value).slice(0, 4)) walk(inner, [...path, key]);
  };
  walk(kept(), []);
  const value = fc.oneof(
    fc.constant(undefined),
    fc.constantFrom(null, 0, -1, 1e300, "", "\x1b", true),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.constantFrom(...places.slice(1)), value, (path, put) => {
      const broken = kept();
      const at = path.slice(0, -1).reduce((inner, key) => inner[key], broken);
      if (put === undefined) delete at[path.at(-1)!];
      else at[path.at(-1)!] = put;
      try {
        const read = parseSnapshot(JSON.stringify(broken));
        assert.ok(
          strict(JSON.parse([...renderSnapshotJson(read, false)].join(""))),
          JSON.stringify(validate.errors),
        );
      } catch (error) {
        assert.match((error as Error).message, /^[^\n]{1,400}$/);
        assert.match((error as Error).message, /^(not a snapshot|a snapshot of version)/, path.join("."));
      }
    }),
    { seed: SEED, numRuns: 300 },
  );
});

test("a reader made of any strict schema knows its parts: optional, nullable, lists, records, unions", () => {
  const item = z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("a"), n: z.number() }),
    z.strictObject({ kind: z.literal("b"), of: z.nullable(z.strictObject({ x: z.number() })) }),
  ]);
  const schema = z.strictObject({
    items: z.array(item).min(1),
    by: z.record(z.string(), z.strictObject({ n: z.number() })),
    maybe: z.strictObject({ n: z.number() }).optional(),
  });
  const reader = readerOf(schema);
  const more = { more: 1 };
  const value = {
    items: [
      { kind: "a", n: 1, ...more },
      { kind: "b", ...more },
    ],
    by: { x: { n: 1, ...more } },
    maybe: { n: 2, ...more },
    ...more,
  };
  assert.deepEqual(reader.parse(value), {
    items: [
      { kind: "a", n: 1 },
      { kind: "b", of: null },
    ],
    by: { x: { n: 1 } },
    maybe: { n: 2 },
  });
  assert.ok(!reader.safeParse({ items: [], by: {} }).success, "limits stay");
  assert.ok(!reader.safeParse({ items: [{ kind: "c" }], by: {} }).success);
  assert.ok(!schema.safeParse(value).success);
  const refined = readerOf(schema.refine(({ by }) => Object.keys(by).length < 2));
  assert.ok(refined.safeParse(value).success);
  assert.ok(!refined.safeParse({ ...value, by: { x: { n: 1 }, y: { n: 2 } } }).success, "refinements hold");
});
