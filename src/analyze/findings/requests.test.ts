import assert from "node:assert/strict";
import { test } from "node:test";
import { APPLICATIONS } from "../app/applications.js";
import { Durations } from "../app/durations.js";
import { packSqlstate } from "../app/postgres/postgres-keywords.js";
import { encodeAlert } from "../app/tls/tls-outcome.js";
import type { OperationSum } from "../sums/operations.js";
import { findRequests } from "./requests.js";

/** Of 100 requests that `a` made of `b`, all answered with success unless said otherwise. */
function asked(fields: Partial<OperationSum> & { readonly times?: readonly number[] } = {}): OperationSum {
  const { times = [], ...rest } = fields;
  const durations = new Durations();
  for (const us of times) durations.add(us);
  return {
    source: "a",
    destination: "b",
    operation: "GET /x",
    requests: 100,
    answered: 100,
    errors: 0,
    lost: 0,
    unseen: 0,
    requestBytes: 0,
    responseBytes: 0,
    outcomes: new Map(),
    durations,
    failingSinceUs: null,
    isServing: true,
    ...rest,
  };
}

function said(name: string, ...sums: readonly OperationSum[]): string[] {
  const application = APPLICATIONS.find((of) => of.name === name)!;
  return findRequests(new Map([[application, sums]])).map(({ severity, text }) => `${severity}: ${text}`);
}

test("errors: 5 and a twentieth of the answers, a warning from half on or where all fail since a time", () => {
  const outcomes = new Map([
    [200, 95],
    [503, 4],
    [500, 1],
  ]);
  assert.deepEqual(said("http", asked({ errors: 5, outcomes })), [
    "notice: b answers 5xx, mostly 503 on GET /x: 5 of 100 answers (5.0 %).",
  ]);
  assert.deepEqual(said("http", asked({ errors: 5, requests: 101, answered: 101 })), []);
  assert.deepEqual(said("http", asked({ errors: 4, requests: 4, answered: 4 })), []);
  assert.match(said("http", asked({ errors: 50 }))[0]!, /^warning/);
  assert.match(said("http", asked({ errors: 49 }))[0]!, /^notice/);
  const failing = { errors: 5, isServing: false, failingSinceUs: 3_600e6 };
  assert.match(said("http", asked(failing))[0]!, /^warning: .* since 01:00:00\.000: 5 of 100/);
});

test("a run of failures needs a failure as every client's last answer, and begins with the last client to fail", () => {
  const failing = { errors: 20, isServing: false, failingSinceUs: 10e6 };
  const later = { ...failing, source: "c", failingSinceUs: 20e6 };
  assert.match(said("http", asked(failing), asked(later))[0]!, / since 00:00:20\.000: 40 of 200 answers/);
  assert.doesNotMatch(said("http", asked(failing), asked({ source: "c" }))[0]!, /since/);
});

test("each protocol's errors are called by its own words", () => {
  const sqlstate = packSqlstate(new DataView(new TextEncoder().encode("42P01").buffer), 0);
  const words = (application: string, outcome: number) =>
    /answers (.*) on/.exec(
      said(application, asked({ errors: 9, outcomes: new Map([[outcome, 9]]) }))[0]!,
    )![1];
  assert.equal(words("http", 404), "4xx, mostly 404");
  assert.equal(words("redis", 3), "Redis errors, mostly ERR");
  assert.equal(words("postgres", sqlstate), "PostgreSQL errors, mostly 42P01");
  assert.equal(words("dns", 2), "DNS errors, mostly SERVFAIL");
  assert.equal(words("tls", encodeAlert(40)), "TLS errors, mostly handshake_failure");
  assert.equal(words("grpc", 1), "gRPC errors");
});

test("unanswered: 10 and a tenth of the requests; lost ones are neither", () => {
  assert.deepEqual(said("redis", asked({ answered: 90 })), [
    "notice: b left 10 of 100 requests GET /x (10.0 %) without an answer.",
  ]);
  assert.deepEqual(said("redis", asked({ answered: 90, lost: 1 })), []);
  assert.deepEqual(said("redis", asked({ requests: 101, answered: 91 })), []);
  assert.match(said("redis", asked({ answered: 50 }))[0]!, /^warning/);
});

test("slow for some: 100 answers, p95 from 250 ms and 20 times the median on", () => {
  const spread = (n: number, slow: number) => Array.from({ length: 100 }, (_, i) => (i < n ? 12_500 : slow));
  const [text] = said("http", asked({ times: spread(94, 400_000) }));
  assert.match(
    text!,
    /^notice: One in 20 answers of b to GET \/x takes .* ms or longer, \d+ times the median/,
  );
  assert.deepEqual(said("http", asked({ times: spread(95, 400_000) })), []);
  assert.deepEqual(said("http", asked({ times: spread(94, 200_000) })), []);
  assert.deepEqual(said("http", asked({ answered: 99, lost: 1, times: spread(94, 400_000) })), []);
});
