import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SEED } from "./capture/file/sample.test.fixture.js";
import {
  formatBytes,
  formatCell,
  formatClock,
  formatCount,
  formatCounted,
  formatDuration,
  formatInstant,
  formatRate,
  formatRatio,
  formatSpan,
  visible,
} from "./format.js";

/** A rule as a table: what goes in, what comes out. */
function holds<T>(
  name: string,
  format: (value: T) => string,
  cases: readonly (readonly [T, string])[],
): void {
  test(name, () => {
    for (const [value, text] of cases) assert.equal(format(value), text, String(value));
  });
}

holds("counts are grouped by thousands", formatCount, [
  [0, "0"],
  [999, "999"],
  [1000, "1,000"],
  [999_999, "999,999"],
  [1_000_000, "1,000,000"],
  [9_007_199_254_740_991, "9,007,199,254,740,991"],
  [1234.5, "1,235"],
]);

test("a noun has its plural, except for one", () => {
  assert.equal(formatCounted(0, "packet"), "0 packets");
  assert.equal(formatCounted(1, "packet"), "1 packet");
  assert.equal(formatCounted(1000, "packet"), "1,000 packets");
});

holds("bytes change unit where the text would reach 1024.0", formatBytes, [
  [0, "0 B"],
  [1, "1 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1536, "1.5 KiB"],
  [1024 * 1023.94, "1023.9 KiB"],
  [1024 * 1023.96, "1.0 MiB"],
  [1024 ** 2, "1.0 MiB"],
  [1024 ** 3, "1.0 GiB"],
  [1024 ** 4, "1.0 TiB"],
  [1024 ** 5, "1.0 PiB"],
  [1024 ** 6, "1.0 EiB"],
  [1024 ** 7, "1024.0 EiB"],
  [8_589_934_590_000, "7.8 TiB"],
]);

holds("rates are bytes a second", formatRate, [
  [0, "0 B/s"],
  [1_572_864, "1.5 MiB/s"],
]);

holds("ratios are percentages; a part too small to show is not shown as nothing", formatRatio, [
  [0, "0.0 %"],
  [0.000_499, "<0.1 %"],
  [0.0005, "0.1 %"],
  [0.1234, "12.3 %"],
  [1, "100.0 %"],
]);

holds("durations change unit where the text would reach the next", formatDuration, [
  [0, "0 s"],
  [0.000_001, "1 µs"],
  [0.000_999_4, "999 µs"],
  [0.000_999_5, "1.0 ms"],
  [0.001, "1.0 ms"],
  [0.999_94, "999.9 ms"],
  [0.999_95, "1.0 s"],
  [20.14, "20.1 s"],
  [59.94, "59.9 s"],
  [59.95, "1 min 00 s"],
  [302, "5 min 02 s"],
  [3599.4, "59 min 59 s"],
  [3599.5, "1 h 00 min"],
  [11_100, "3 h 05 min"],
  [86_399.4, "23 h 59 min"],
  [86_399.5, "1 d 00 h"],
  [86_400 * 12 + 3600 * 3, "12 d 03 h"],
  [86_400 * 1234, "1,234 d 00 h"],
]);

const START = "2026-11-22T10:31:05.123456Z";

test("times drop what a reader does not need", () => {
  assert.equal(formatInstant(START), "2026-11-22 10:31:05");
  assert.equal(formatClock(START), "10:31:05.123");
  assert.equal(formatSpan(START, "2026-11-22T10:31:25.9Z"), "2026-11-22 10:31:05 to 10:31:25 UTC");
  assert.equal(formatSpan(START, "2026-11-23T00:00:00.0Z"), "2026-11-22 10:31:05 to 2026-11-23 00:00:00 UTC");
  assert.equal(formatSpan(null, null), "no time");
});

test("a cell is formatted by its column's kind; nothing to say is a dash", () => {
  assert.equal(formatCell("bytes", 2048), "2.0 KiB");
  assert.equal(formatCell("packets", 2048), "2,048");
  assert.equal(formatCell("count", 2048), "2,048");
  assert.equal(formatCell("port", 8080), "8080");
  assert.equal(formatCell("ratio", 0.5), "50.0 %");
  assert.equal(formatCell("seconds", 0.5), "500.0 ms");
  assert.equal(formatCell("time", START), "10:31:05.123");
  assert.equal(formatCell("text", "web\x1b[31m"), "web\x1b[31m", "each output makes it safe, once");
  assert.equal(formatCell("text", true), "true");
  for (const kind of ["text", "bytes", "time", "port"] as const) {
    assert.equal(formatCell(kind, null), "-");
    assert.equal(formatCell(kind, undefined), "-");
  }
  assert.equal(formatCell("bytes", 0), "0 B");
  assert.equal(formatCell("text", ""), "");
});

holds("characters that move, hide or reorder text are written out", visible, [
  ["\x00\x07\b\t\n\r\x1b\x1f", "\\x00\\x07\\x08\\x09\\x0a\\x0d\\x1b\\x1f"],
  ["\x7f\x80\x9b\x9f", "\\x7f\\x80\\x9b\\x9f"],
  ["\u00ad", "\\xad"],
  ["\u061c\u180e", "\\u061c\\u180e"],
  ["\u200b\u200c\u200d\u200e\u200f", "\\u200b\\u200c\\u200d\\u200e\\u200f"],
  ["\u2028\u2029\u202a\u202e", "\\u2028\\u2029\\u202a\\u202e"],
  ["\u2060\u2066\u2069\u206f", "\\u2060\\u2066\\u2069\\u206f"],
  ["\ufeff\ufff9\ufffb", "\\ufeff\\ufff9\\ufffb"],
  ["\u{e0000}\u{e0041}\u{e007f}", "\\u{e0000}\\u{e0041}\\u{e007f}"],
  ["\ud800", "\\ud800"],
  ["x\udc00y", "x\\udc00y"],
  ["\x1b]0;pwn\x07", "\\x1b]0;pwn\\x07"],
]);

test("text that only looks strange stays as it is", () => {
  for (const text of ["", "plain ~ text", "dätäbase", "日本語", "🦊", "\u00a0", "\ufffd", "عربي"])
    assert.equal(visible(text), text);
});

holds("a name that has the letters of an escape looks different; any other backslash stays", visible, [
  ["a\\x1b", "a\\\\x1b"],
  ["a\\X1B", "a\\X1B"],
  ["a\\x1B", "a\\\\x1B"],
  ["\\\\x1b", "\\\\\\\\x1b"],
  ["\\\x1b", "\\\\\\x1b"],
  ["\\u202e\\u{e0041}", "\\\\u202e\\\\u{e0041}"],
  ["C:\\tmp\\users\\x", "C:\\tmp\\users\\x"],
  ["\\\\server\\d+\\x1", "\\\\server\\d+\\x1"],
  ["\\u{41}\\", "\\u{41}\\"],
]);

/** The text that is shown so. */
function meantBy(shown: string): string {
  const written = /(\\+)(x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{5,6})\})/gi;
  return shown.replace(written, (_, slashes: string, rest: string, ...hex: (string | undefined)[]) => {
    const before = "\\".repeat(slashes.length >> 1);
    const code = Number.parseInt(hex.slice(0, 3).find((digits) => digits !== undefined)!, 16);
    return slashes.length % 2 === 0 ? before + rest : before + String.fromCodePoint(code);
  });
}

test("property: what is made visible holds no control, format or surrogate character, and tells what it was made of", () => {
  const unsafe = fc.constantFrom(
    "\x1b",
    "\x9b",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\ud83d",
    "\udc00",
    "\u{e0041}",
    "\\",
    "x1b",
    "u202e",
    "u{e0041}",
  );
  const texts = fc
    .array(fc.oneof(unsafe, fc.string({ unit: "binary", maxLength: 3 })))
    .map((all) => all.join(""));
  fc.assert(
    fc.property(texts, (text) => {
      const shown = visible(text);
      assert.doesNotMatch(shown, /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/u);
      // A byte that `decodePath` kept stands as one of those numbers; nothing else is shown alike.
      assert.equal(
        meantBy(shown),
        text.replace(/[\udc80-\udcff]/gu, (byte) => String.fromCharCode(byte.charCodeAt(0) & 0xff)),
      );
    }),
    { seed: SEED, numRuns: 200 },
  );
});
