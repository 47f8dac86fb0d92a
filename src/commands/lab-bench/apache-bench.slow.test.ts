import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { CommandError } from "../../exit.js";
import { fireLoad, type LoadFigures, loadArguments, parseLoad } from "./apache-bench.js";
import { findTool } from "./tool.js";

/** Output of ab 2.3, without unused lines. */
const PRINTED = `This is ApacheBench, Version 2.3 <$Revision$>
Document Path:          /err
Document Length:        106 bytes

Concurrency Level:      50
Time taken for tests:   0.111 seconds
Complete requests:      1000
Failed requests:        857
   (Connect: 0, Receive: 0, Length: 857, Exceptions: 0)
Non-2xx responses:      334
Requests per second:    9024.21 [#/sec] (mean)
`;
const PERCENTILES = "Percentage served,Time in ms\n0,0.995\n50,5.5\n95,11.25\n99,12\n100,16.397\n";

test("the figures are read, kinds of errors apart and times in seconds", () => {
  assert.deepEqual(parseLoad(PRINTED, PERCENTILES), {
    tool: "ab 2.3",
    requests: 1000,
    seconds: 0.111,
    requestsPerSecond: 9024.21,
    p50Seconds: 0.0055,
    p95Seconds: 0.01125,
    p99Seconds: 0.012,
    maxSeconds: 0.016397,
    errors: { connect: 0, receive: 0, exception: 0, status: 334 },
    otherLength: 857,
    bodyBytes: 106,
  } satisfies LoadFigures);
});

test("where nothing failed the tool prints no kinds; they are 0", () => {
  const { errors, otherLength } = parseLoad(
    PRINTED.replace(/ {3}\(Connect.*\n/, "").replace(/Non-2xx.*\n/, ""),
    PERCENTILES,
  );
  assert.deepEqual([errors, otherLength], [{ connect: 0, receive: 0, exception: 0, status: 0 }, 0]);
});

test("what the tool does not say is an error, not a zero", () => {
  const fails = (text: string, percentiles: string, message: RegExp) =>
    assert.throws(
      () => parseLoad(text, percentiles),
      (error) => error instanceof CommandError && message.test(error.message),
    );
  fails(PRINTED.replace(/Requests per second.*\n/, ""), PERCENTILES, /ab printed no Requests per second/);
  fails(PRINTED, PERCENTILES.replace("95,", "94,"), /no 95th percentile/);
  fails(PRINTED.replace("requests:      1000", "requests:      0"), PERCENTILES, /no request came to an end/);
});

test("the limit of time stands before the number of requests, which it would set otherwise", () => {
  const order = { url: "http://127.0.0.1:1/", concurrency: 5, keepAlive: true, netns: null };
  const words = loadArguments({ ...order, requests: 70, durationSeconds: 9 }, "p.csv");
  assert.ok(words.indexOf("-t") < words.indexOf("-n"));
  assert.equal(words[words.indexOf("-n") + 1], "70");
  assert.equal(words[words.indexOf("-t") + 1], "9");
  assert.ok(words.includes("-k"));
  assert.equal(words.at(-1), order.url);
});

/** Sends requests to a server on loopback that answers the nth with `body(n)`. */
async function load(
  requests: number,
  concurrency: number,
  answer: (n: number) => { status: number; body: string },
): Promise<LoadFigures> {
  let n = 0;
  const server = createServer((_request, response) => {
    const { status, body } = answer(n++);
    response.writeHead(status, { "content-length": body.length }).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    return await fireLoad({ url, requests, concurrency, durationSeconds: 60, keepAlive: false, netns: null });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const noTool = findTool("ab") ? false : "ab (package apache2-utils) is not installed";

test("ab calls whole answers failed whose length is not the first one's: 996 of 1,000", {
  skip: noTool,
}, async () => {
  const cold = { status: 200, body: '{"source":"database"}' };
  const warm = { status: 200, body: '{"source":"cache"}' };
  const figures = await load(1000, 1, (n) => (n < 4 ? cold : warm));
  assert.deepEqual([figures.requests, figures.otherLength], [1000, 996]);
  assert.deepEqual(figures.errors, { connect: 0, receive: 0, exception: 0, status: 0 });
});

test("answers of one length have no such failures; a bad status is counted by itself", {
  skip: noTool,
}, async () => {
  const figures = await load(200, 10, (n) => ({ status: n % 4 === 0 ? 503 : 200, body: "same" }));
  assert.deepEqual([figures.requests, figures.otherLength, figures.errors.status], [200, 0, 50]);
  assert.ok(figures.p50Seconds > 0 && figures.p50Seconds <= figures.p99Seconds);
});

test("a server that is not there is said with the tool's own words, or counted", {
  skip: noTool,
}, async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const figures = await fireLoad({
    url: `http://127.0.0.1:${port}/`,
    requests: 10,
    concurrency: 2,
    durationSeconds: 60,
    keepAlive: false,
    netns: null,
  });
  assert.ok(figures.errors.receive + figures.errors.connect >= 10);
});
