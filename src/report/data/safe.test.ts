import assert from "node:assert/strict";
import { test } from "node:test";
import type { Column, Table } from "../../analyze/snapshot/snapshot.js";
import { safeJson, visible } from "../../format.js";
import { renderCsv } from "./csv.js";
import { renderTableJson, renderTableNdjson } from "./json.js";
import { renderMarkdown } from "./markdown.js";

/** One or two of each kind of unsafe character, by their numbers. */
const CODES = [
  0x00, 0x0a, 0x1b, 0x7f, 0x85, 0x9b, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x180e, 0x200b, 0x200f, 0x2028,
  0x202e, 0x2066, 0x2800, 0x3164, 0xd800, 0xfdd0, 0xfdef, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xfffb, 0xfffe,
  0xffff, 0x1fffe, 0xe0001, 0xe007f, 0xe0100, 0x10ffff,
];
const EVERY = CODES.map((code) => `a${String.fromCodePoint(code)}`).join("");

function isRaw(code: number, text: string): boolean {
  return Array.from(text).some((character) => character.codePointAt(0) === code);
}

function tableOf(name: string, cells: readonly (string | number)[]): Table {
  const column: Column = { name, title: name, kind: "text" };
  return {
    name: "t",
    title: "t",
    columns: [column],
    rows: cells.map((cell) => ({ [name]: cell })),
  } as unknown as Table;
}

test("no output of a table has an unsafe character raw, in a cell or a heading", () => {
  const table = tableOf(EVERY, [EVERY]);
  const outputs = {
    text: visible(EVERY),
    value: safeJson({ [EVERY]: EVERY }),
    indented: safeJson({ [EVERY]: EVERY }, 2),
    json: [...renderTableJson(table)].join(""),
    ndjson: [...renderTableNdjson(table)].join(""),
    csv: [...renderCsv(table)].join(""),
    markdown: renderMarkdown(table),
  };
  for (const [output, text] of Object.entries(outputs)) {
    const raw = CODES.filter((code) => code !== 0x0a && isRaw(code, text));
    assert.deepEqual(raw, [], output);
  }
  assert.equal(outputs.value.includes("\n"), false);
  assert.deepEqual(JSON.parse(outputs.value), { [EVERY]: EVERY });
  assert.deepEqual(JSON.parse(outputs.indented), { [EVERY]: EVERY });
  assert.deepEqual(JSON.parse(outputs.json), [{ [EVERY]: EVERY }]);
  assert.deepEqual(JSON.parse(outputs.ndjson), { [EVERY]: EVERY });
  assert.equal(visible("né 日本 a\\b 😀"), "né 日本 a\\b 😀");
});

test("no text in CSV is a formula, whatever stands before its sign; numbers stay numbers", () => {
  const signs = ["=", "+", "-", "@", "＝", "＋", "－", "＠"];
  const before = ["", ";", ",", " ", "'", '"', "\u00a0", "\u3000", "; ;"];
  const texts = before.flatMap((head) => signs.map((sign) => `${head}${sign}1`));
  for (const text of texts) {
    const [, line] = [...renderCsv(tableOf("a", [text]))].join("").split("\n");
    assert.match(line!, /^"?'/, text);
  }
  const plain = [...renderCsv(tableOf("a", [-1, 2.5, "web-1", "a;=b"]))].join("");
  assert.equal(plain, "a\n-1\n2.5\nweb-1\na;=b\n");
});
