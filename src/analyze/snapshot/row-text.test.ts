import assert from "node:assert/strict";
import { test } from "node:test";
import { splitRows } from "./row-text.js";

const split = (json: string) => {
  const { json: rest, rows } = splitRows(Buffer.from(json));
  return { rest, rows: [...rows].map(([name, text]) => [name, text.length, [...text]]) };
};

test("rows of tables stand apart from the rest, whatever is in strings and elsewhere", () => {
  const other = `"note":"{\\"rows\\":[\\\\","list":[{"rows":[1,[2]]}],"rows":[3]`;
  const tables = `"tables":{"a\\u0062":{"columns":[{"rows":[4]}], "rows" : [ {"x":"],\\"","y":1} ,{"z":null}\n]},"e":{"rows":[ ]}}`;
  const tracked = `"conntrack":{"connections":{"rows":[{"x":"\\u015b"}]},"evidence":{"rows":[5]}}`;
  assert.deepEqual(split(`{${other},${tables},${tracked}}`), {
    rest: `{${other},"tables":{"a\\u0062":{"columns":[{"rows":[4]}], "rows" : []},"e":{"rows":[]}},"conntrack":{"connections":{"rows":[]},"evidence":{"rows":[5]}}}`,
    rows: [
      ["ab", 2, [{ x: '],"', y: 1 }, { z: null }]],
      ["e", 0, []],
      [null, 1, [{ x: "ś" }]],
    ],
  });
});

test("a row that cannot be read is refused at once", () => {
  const of = (rows: string) => () => split(`{"tables":{"a":{"rows":[${rows}`);
  for (const rows of ["{}", "{},", '{"x":"', "{]", "{},]}}}", "[}]", "{}{}]"])
    assert.throws(of(rows), { message: "not JSON" }, rows);
  for (const rows of ["1]", "[]]", "null]", "{},7]"])
    assert.throws(of(rows), /a row that is no object/, rows);
  assert.throws(of(`{"x":"${"y".repeat(1024 * 1024)}"}]`), { message: "not a snapshot: a row is too long" });
});
