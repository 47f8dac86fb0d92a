import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "csv-stringify/sync";
import fc from "fast-check";
import type { Cell, Row, Table } from "../../analyze/snapshot/snapshot.js";
import { safeJson, visible } from "../../format.js";
import { renderCsv } from "./csv.js";
import { renderSnapshotJson, renderTableJson, renderTableNdjson } from "./json.js";

const HOSTILE = [
  "",
  " ",
  ",",
  '"',
  "\r\n",
  "\\",
  "=1+1",
  " -x",
  "'",
  "\u0000",
  "\u007f",
  "\u202e",
  "é",
  "😀",
  "\ud800",
  "a b",
];
const TEXT = fc.oneof(
  fc.string(),
  fc.string({ unit: "binary" }),
  fc.array(fc.constantFrom(...HOSTILE), { maxLength: 4 }).map((parts) => parts.join("")),
);
const CELL = fc.oneof(
  TEXT,
  fc.constant(null),
  fc.nat(10_000),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(-0, 4095, 4096, 1e21, 1e-7, Number.MAX_SAFE_INTEGER),
);
/** What every object has is no column. */
const NAMES = fc.uniqueArray(
  TEXT.filter((name) => !(name in {})),
  { minLength: 2, maxLength: 6 },
);

/** Tables whose rows have their cells in the order of the columns, in another, or not all of them. */
const TABLE = NAMES.chain((names) =>
  fc
    .array(fc.tuple(fc.shuffledSubarray([...names]), fc.array(CELL, { minLength: 6, maxLength: 6 })), {
      maxLength: 8,
    })
    .map((rows) =>
      tableOf(
        names,
        rows.map(([order, cells], n) => rowOf(n % 2 === 0 ? names : order, cells)),
      ),
    ),
);

function rowOf(names: readonly string[], cells: readonly Cell[]): Row {
  return Object.fromEntries(names.map((name, i) => [name, cells[i]!]));
}

function tableOf(names: readonly string[], rows: readonly Row[]): Table {
  const columns = names.map((name) => ({ name, title: name, kind: "text" }) as const);
  return { name: "t", title: "t", subject: "traffic", top: 1, columns, rows, total: {}, omitted: 0 };
}

/** What JSON has for a cell: it knows no -0. */
function plain(cell: Cell | undefined): Cell {
  return Object.is(cell, -0) ? 0 : (cell ?? null);
}

test("JSON parses to the rows, every cell in the order of the columns, as JSON.stringify writes them but for unsafe characters", () => {
  fc.assert(
    fc.property(TABLE, (table) => {
      const names = table.columns.map(({ name }) => name);
      const wanted = [...table.rows].map((row) =>
        Object.fromEntries(names.map((name) => [name, plain(row[name])])),
      );
      const json = [...renderTableJson(table)].join("");
      const lines = [...renderTableNdjson(table)].join("");
      const whole = [...renderSnapshotJson({ tables: { t: table } } as never, true)].join("");
      // Of integer-like names JSON.parse and objects keep an order of their own: texts are compared by what they hold.
      assert.deepEqual(JSON.parse(json), wanted);
      assert.deepEqual(
        lines
          .split("\n")
          .slice(0, -1)
          .map((line) => JSON.parse(line)),
        wanted,
      );
      assert.deepEqual(JSON.parse(whole).tables.t.rows, wanted);
      const isOrdered = names.every((name) => !/^\d+$/.test(name));
      if (isOrdered) assert.equal(lines, wanted.map((row) => `${safeJson(row)}\n`).join(""));
    }),
    { numRuns: 100 },
  );
});

test("CSV is what csv-stringify writes of texts that are shown and no formula", () => {
  const formula = /^[\s;,"']*[=+\-@\uff1d\uff0b\uff0d\uff20]/;
  const shown = (text: string) => (formula.test(visible(text)) ? `'${visible(text)}` : visible(text));
  fc.assert(
    fc.property(TABLE, (table) => {
      const names = table.columns.map(({ name }) => name);
      const rows = [...table.rows].map((row) =>
        names.map((name) => (typeof row[name] === "string" ? shown(row[name]) : (row[name] ?? ""))),
      );
      assert.equal([...renderCsv(table)].join(""), stringify([names.map(shown), ...rows]));
    }),
    { numRuns: 100 },
  );
});
