import assert from "node:assert/strict";
import { test } from "node:test";
import { labelText } from "../../format.js";
import { type Exposition, renderExposition } from "./exposition.js";
import { Family, renderFamilies } from "./metric.js";

const EMPTY: Exposition = {
  version: "0",
  capture: {
    interfaces: [],
    traffic: [],
    truncated: 0,
    malformed: [],
    evictedConversations: 0,
    missed: [],
    conversations: 0,
    complete: true,
  },
  edges: { edges: [], requests: [], overflow: 0, unresolvedBytes: 0 },
  connections: null,
  evidence: null,
  health: null,
  process: null,
};

test("values of labels that look alike when joined stay apart", async () => {
  const family = new Family("counter", "x_total", "X.")
    .add(1, { a: "1,b:2", b: "3" })
    .add(2, { a: "1", b: "2,b:3" });
  assert.match(
    await renderFamilies([family], "text"),
    /x_total\{a="1,b:2",b="3"\} 1\nx_total\{a="1",b="2,b:3"\} 2\n/,
  );
});

test("a quote, a backslash and a line end in a value are escaped, a number is written whole", async () => {
  const family = new Family("gauge", "x", "X.").add(2 ** 53 - 1, { a: 'q"b\\n\n' });
  assert.match(await renderFamilies([family], "text"), /^x\{a="q\\"b\\\\n\\n"\} 9007199254740991$/m);
});

test("what is not known makes no sample, and a metric without a sample no line", async () => {
  const family = new Family("gauge", "x", "X.").add(null).add(Number.NaN).add(Number.POSITIVE_INFINITY);
  assert.equal((await renderFamilies([family], "text")).trim(), "");
  assert.doesNotMatch(await renderExposition(EMPTY, "text"), /conntrack|health|process/);
});

test("OpenMetrics ends with EOF and names its counters without _total in the heading alone", async () => {
  const page = await renderExposition(EMPTY, "openmetrics");
  assert.ok(page.endsWith("# EOF\n"));
  assert.match(page, /^# TYPE netwatch_unresolved_bytes counter\nnetwatch_unresolved_bytes_total 0$/m);
});

test("pages made at once are the same as made one by one", async () => {
  const formats = ["text", "openmetrics", "text", "openmetrics"] as const;
  const together = await Promise.all(formats.map((format) => renderExposition(EMPTY, format)));
  for (const [i, format] of formats.entries())
    assert.equal(together[i], await renderExposition(EMPTY, format));
});

test("text from outside is bounded, and never a half of a character", () => {
  assert.equal(labelText("x".repeat(9999)).length, 128);
  assert.equal(labelText(`${"x".repeat(127)}😀`), `${"x".repeat(127)}\\`.slice(0, 128));
});

test("two targets or interfaces of one name make one sample", async () => {
  const one = { packets: 1, dropped: 0, residual: 0, up: true };
  const page = await renderExposition(
    {
      ...EMPTY,
      capture: {
        ...EMPTY.capture,
        interfaces: [
          { name: "a", ...one },
          { name: "a", ...one },
        ],
      },
      health: [
        { target: "web", up: true, seconds: 0.1, ownSeconds: 0.001 },
        { target: "web", up: false, seconds: null, ownSeconds: null },
        { target: "new", up: null, seconds: null, ownSeconds: null },
      ],
    },
    "text",
  );
  assert.equal(page.match(/^netwatch_capture_packets_total\{/gm)?.length, 1);
  assert.match(page, /^netwatch_health_own_delay_seconds 0\.001$/m);
  assert.deepEqual(page.match(/^netwatch_health_up.*$/gm), ['netwatch_health_up{target="web"} 1']);
});
