import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { benchmarkSchema } from "./benchmark.js";
import { makeBenchmark, makeMode, makeRound, makeRounds, makeWire } from "./benchmark.test.fixture.js";

const LAB = [1000, 1010, 990, 1005, 995, 1002, 998];
const lab = makeMode("lab", makeRounds(LAB, 0));

function said(...[modes, ...rest]: Parameters<typeof makeBenchmark>): Record<string, string> {
  const { findings } = makeBenchmark(modes, ...rest);
  return Object.fromEntries(findings.map(({ code, text }) => [code, text]));
}

test("equal modes: no difference beyond noise, and each figure is named", () => {
  const docker = makeMode("docker", makeRounds(LAB.toReversed(), 1));
  assert.equal(
    said([lab, docker])["within-noise"],
    "No difference between lab and docker beyond noise, in requests a second, p50 latency, p95 latency, p99 latency and CPU a request.",
  );
});

test("a difference is said with its direction and size, and what is within noise beside it", () => {
  const docker = makeMode(
    "docker",
    makeRounds(
      LAB.map((v) => v / 2),
      1,
    ),
  );
  assert.equal(
    said([lab, docker]).difference,
    "docker beside lab has, beyond noise, fewer requests a second (0.50 times), a higher p50 latency (2.00 times), a higher p95 latency (2.00 times) and a higher p99 latency (2.00 times). Within noise: CPU a request.",
  );
});

test("too few rounds are said to be too few, however far apart", () => {
  const few = said([
    makeMode("lab", makeRounds([54, 54, 54], 0)),
    makeMode("docker", makeRounds([29, 29, 29], 1)),
  ]);
  assert.match(few["too-few-rounds"]!, /^3 rounds a mode are too few to tell a difference from chance/);
  assert.equal(few.difference, undefined);
});

test("a mode that is left out is named first with its reason", () => {
  const [first] = makeBenchmark([lab], [{ mode: "docker", reason: "no engine" }]).findings;
  assert.equal(first?.text, "docker was left out: no engine.");
});

test("shops that are not alike are said to be not, by service", () => {
  const docker = makeMode("docker", makeRounds(LAB, 1));
  assert.equal(
    said([lab, docker]).unlike,
    "The two shops do not have the same number of servers, in lab and in docker: product-service 3 and 2. A difference may come from that.",
  );
  assert.equal(said([lab, { ...docker, servers: lab.servers }]).unlike, undefined);
});

test("servers that their limit of CPU held back are said, with how long", () => {
  const held = makeMode("docker", [
    makeRound(1, 500, { throttled_seconds: 1.25 }),
    makeRound(2, 500, { throttled_seconds: 0.5 }),
  ]);
  assert.match(said([held]).throttled!, /^docker: .* for 1\.8 s in all, in rounds of 4\.0 s together/);
  assert.equal(said([lab]).throttled, undefined);
  assert.equal(
    said([makeMode("docker", [makeRound(1, 500, { throttled_seconds: 0 })])]).throttled,
    undefined,
  );
});

test("other lengths are told from failures; failures warn", () => {
  const dynamic = makeMode("docker", [makeRound(1, 29, { other_length: 996 })]);
  const words = said([dynamic]);
  assert.match(words["other-length"]!, /996 of 1,000 answers \(99\.6 %\).*not counted as a failure/);
  assert.equal(words.failures, undefined);
  const broken = makeMode("lab", [
    makeRound(1, 900, { errors: { connect: 0, receive: 3, exception: 0, status: 2 } }),
  ]);
  const { findings } = makeBenchmark([broken]);
  const failure = findings.find(({ code }) => code === "failures");
  assert.equal(failure?.severity, "warning");
  assert.match(failure.text, /^lab: 5 of 1,000 requests failed \(3 receive, 2 status\)/);
});

test("rounds far apart, lost packets and a capture that failed are said", () => {
  const wide = makeMode("lab", makeRounds([500, 900, 700, 400, 1000], 0), makeWire({ dropped: 7 }));
  const blind = makeMode("docker", makeRounds([700, 710, 690, 705, 695], 1));
  const words = said([wide, blind]);
  assert.match(words["wide-spread"]!, /^lab: the rounds differ much among themselves \(400 to 1,000/);
  assert.match(words["wire-dropped"]!, /the capture lost 7 packets/);
  assert.equal(words["wire-unseen"], "docker: no capture: tests have no bridge.");
});

test("whatever the rounds, the value keeps to its schema and says something first", () =>
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.1, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 8 }),
      fc.option(fc.array(fc.double({ min: 0.1, max: 1e5, noNaN: true }), { minLength: 1, maxLength: 8 })),
      fc.nat(1000),
      (first, second, failed) => {
        const rounds = makeRounds(first, 0).map((round) => ({
          ...round,
          errors: { ...round.errors, receive: failed },
        }));
        const modes = [makeMode("lab", rounds, makeWire())];
        if (second) modes.push(makeMode("docker", makeRounds(second, 1)));
        const value = makeBenchmark(modes);
        assert.deepEqual(benchmarkSchema.parse(JSON.parse(JSON.stringify(value))), value);
        assert.ok(value.findings.length > 0);
        for (const { text } of value.findings) assert.doesNotMatch(text, /NaN|undefined|Infinity|null/);
      },
    ),
  ));
