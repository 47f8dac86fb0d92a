import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { dice, SEED } from "../capture/file/sample.test.fixture.js";
import { Series } from "./series.js";
import { formatTime } from "./time.js";

const MOST_STEPS = 300;
const HOUR_US = 3.6e9;

interface Point {
  readonly time: number;
  readonly index: number;
  readonly length: number;
}

/** What a series holds, cells that are zero left out. */
function contentOf(series: Series) {
  const cells: Record<string, readonly [number, number]> = {};
  for (let step = 0; step < series.steps; step++) {
    for (let index = 0; index < series.classes; index++) {
      const cell = [series.packets(step, index), series.bytes(step, index)] as const;
      if (cell[0] > 0 || cell[1] > 0) cells[`${series.startUs + step * series.stepUs}/${index}`] = cell;
    }
  }
  const { steps, stepUs, startUs } = series;
  return { steps, stepUs, startUs, cells };
}

function seriesOf(points: readonly Point[]): Series {
  const cells = new Float64Array(MOST_STEPS * 3 * 2);
  const series = new Series(3, cells);
  // As the core counts.
  for (const { index, time, length } of points) {
    if (time < series.currentStart || time >= series.currentEnd) series.moveTo(time);
    const cell = series.currentCell + index * 2;
    cells[cell]! += 1;
    cells[cell + 1]! += length;
  }
  return series;
}

/** Each point in the step of the given width it falls in, by plain division. */
function oracle(points: readonly Point[], stepUs: number) {
  const step = (time: number) => Math.floor(time / stepUs);
  const cells: Record<string, readonly [number, number]> = {};
  for (const { time, index, length } of points) {
    const key = `${step(time) * stepUs}/${index}`;
    const [packets, bytes] = cells[key] ?? [0, 0];
    cells[key] = [packets + 1, bytes + length];
  }
  const steps = points.map(({ time }) => step(time));
  const first = Math.min(...steps);
  return { steps: Math.max(...steps) - first + 1, stepUs, startUs: first * stepUs, cells };
}

const arbitraryPoints = fc
  .tuple(fc.nat({ max: 2 ** 51 }), fc.constantFrom(1e3, 1e5, 1e6, 1e8, 1e10, HOUR_US * 24 * 365, 5e15))
  .chain(([origin, span]) =>
    fc.array(
      fc.record({
        time: fc.nat({ max: span }).map((later) => origin + later),
        index: fc.nat({ max: 2 }),
        length: fc.nat({ max: 9000 }),
      }),
      { minLength: 1, maxLength: 60 },
    ),
  );

test("property: every packet is in the step it falls in, in at most 300 steps, and sums are exact", () => {
  fc.assert(
    fc.property(arbitraryPoints, (points) => {
      const series = seriesOf(points);
      assert.ok(series.steps >= 1 && series.steps <= MOST_STEPS);
      assert.deepEqual(contentOf(series), oracle(points, series.stepUs));
    }),
    { seed: SEED, numRuns: 400 },
  );
});

test("property: the order of the packets changes nothing", () => {
  fc.assert(
    fc.property(arbitraryPoints, fc.integer(), (points, seed) => {
      const roll = dice(seed);
      const shuffled = points
        .map((point) => ({ point, at: roll(1_000_000) }))
        .sort((x, y) => x.at - y.at)
        .map(({ point }) => point);
      const inOrder = points.toSorted((x, y) => x.time - y.time);
      const expected = contentOf(seriesOf(points));
      for (const other of [shuffled, inOrder, inOrder.toReversed()])
        assert.deepEqual(contentOf(seriesOf(other)), expected);
    }),
    { seed: SEED, numRuns: 200 },
  );
});

test("steps are as narrow as 300 of them allow", () => {
  const width = (...times: readonly number[]) =>
    seriesOf(times.map((time) => ({ time, index: 0, length: 1 }))).stepUs;
  assert.equal(width(5), 1e3);
  assert.equal(width(0, 299_999), 1e3);
  assert.equal(width(0, 300_000), 5e3);
  assert.equal(width(500, 300_000), 5e3);
  assert.equal(width(1000, 300_000), 1e3);
  assert.equal(width(0, 300e6 - 1), 1e6);
  assert.equal(width(0, 300e6), 5e6);
  assert.equal(width(0, Number.MAX_SAFE_INTEGER), 8.64e13);
});

test("an empty series has no step", () => {
  assert.equal(new Series(3, new Float64Array(0)).steps, 0);
});

test("times are written exactly: microseconds, and nanoseconds where there are any", () => {
  assert.equal(formatTime(0), "1970-01-01T00:00:00.000000Z");
  assert.equal(formatTime(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
  assert.equal(formatTime(1_700_000_000_999_999, 7), "2023-11-14T22:13:20.999999007Z");
  assert.equal(formatTime(4_294_967_295_000_000), "2106-02-07T06:28:15.000000Z");
  assert.equal(formatTime(Number.MAX_SAFE_INTEGER, 999), "2255-06-05T23:47:34.740991999Z");
  assert.equal(formatTime(1_700_000_000_000_001), "2023-11-14T22:13:20.000001Z");
});

test("property: written times sort as times do", () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 52 }), fc.nat({ max: 2_000_000 }), (us, later) => {
      assert.equal(Math.sign(later), formatTime(us) < formatTime(us + later) ? 1 : 0);
      assert.equal(Date.parse(`${formatTime(us).slice(0, 23)}Z`), Math.floor(us / 1000));
    }),
    { seed: SEED, numRuns: 300 },
  );
});
