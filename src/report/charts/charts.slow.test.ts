import assert from "node:assert/strict";
import { test } from "node:test";
import { cutMiddle } from "../../view/cut.js";
import { wrapText } from "../../view/wrap.js";
import { readFontCoverage } from "../pdf/page/fonts.js";
import { safeText } from "../pdf/page/safe-text.js";
import { ringSnapshot } from "../ring.test.fixture.js";
import { type ChartPainter, openCanvas, openPainter, openResvg } from "./chart-png.js";
import { renderChartPngs } from "./charts.js";
import { byteScale, timeAxis } from "./charts-scale.js";

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const opened = await painters();

/** By resvg always; by the canvas where it is installed. */
async function painters(): Promise<ChartPainter[]> {
  const canvas = await openCanvas();
  return [await openResvg(), ...(canvas === null ? [] : [canvas])];
}

test("six pictures of the size asked for, the same bytes each time, whatever the names and what draws", async () => {
  const names = [["a", "b"], [], ["\u001b\u202e", "日本", "n".repeat(300)], ["</svg>&\"'", "b"]];
  for (const [services, painter] of names.flatMap((names) => opened.map((one) => [names, one] as const))) {
    const first = await renderChartPngs(ringSnapshot(services), painter);
    assert.deepEqual(
      first.map(({ name }) => name),
      [
        "protocol_distribution.png",
        "request_errors.png",
        "request_latency.png",
        "tcp_retransmissions.png",
        "top_service_pairs.png",
        "top_talkers.png",
      ],
    );
    for (const { bytes } of first) {
      assert.deepEqual(Buffer.from(bytes.subarray(0, 4)), PNG);
      assert.equal(Buffer.from(bytes).readUInt32BE(16), 540 * 3, "width");
    }
    const again = await renderChartPngs(ringSnapshot(services), painter);
    first.forEach(({ bytes }, i) => {
      assert.ok(Buffer.from(bytes).equals(Buffer.from(again[i]!.bytes)));
    });
  }
});

test("the canvas draws where it is installed, else resvg", async () => {
  assert.equal((await openPainter()).engine, opened.at(-1)!.engine);
});

test("byte axes have the unit in which their largest number is short", () => {
  assert.deepEqual(byteScale(0), { divisor: 1, unit: "B" });
  assert.deepEqual(byteScale(1_600_000), { divisor: 2 ** 20, unit: "MiB" });
  assert.deepEqual(byteScale(1023.99 * 1024), { divisor: 2 ** 20, unit: "MiB" });
});

test("time axes are marked at round times of the clock, in UTC", () => {
  const { marks, title } = timeAxis(Date.parse("2026-11-22T10:31:03.5Z"), 24, 7);
  assert.deepEqual(
    marks.map(({ at, text }) => [at, text]),
    [
      [1.5, "10:31:05"],
      [6.5, "10:31:10"],
      [11.5, "10:31:15"],
      [16.5, "10:31:20"],
      [21.5, "10:31:25"],
    ],
  );
  assert.equal(title, "Time of day (UTC), from 2026-11-22");
  assert.deepEqual(timeAxis(Number.NaN, 10, 7).marks, []);
  assert.deepEqual(timeAxis(8.64e15, 10, 7).marks.length <= 1, true);
});

test("characters without a glyph are written as codes", () => {
  const covers = readFontCoverage();
  assert.equal(safeText("Жλé→µ…", covers), "Жλé→µ…");
  assert.equal(safeText("中😀\u001b\u202e", covers), "\\u4e2d\\u{1f600}\\x1b\\u202e");
});

test("texts are cut in the middle, by characters", () => {
  assert.equal(cutMiddle("abcdefgh", 5), "ab…gh");
  assert.equal(cutMiddle("😀😀😀😀", 3), "😀…😀");
  assert.equal(cutMiddle("abc", 3), "abc");
});

test("lines end at spaces, not between a number and its unit, and within a word only where it is too long", () => {
  const wrap = (text: string, width: number) =>
    wrapText(
      text,
      width,
      (part) => part.length,
      () => width,
    );
  assert.deepEqual(wrap("one two three", 8), ["one two", "three"]);
  assert.deepEqual(wrap("mean of 66.9 KiB/s.", 14), ["mean of", "66.9 KiB/s."]);
  assert.deepEqual(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
  assert.deepEqual(wrap("", 4), [""]);
});
