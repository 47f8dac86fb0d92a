/**
 * The load: ApacheBench, of Debian's apache2-utils. Chosen over autocannon (63 npm packages, no 95th percentile, a request lost
 * with its connection is no error) and wrk (no number of requests, percentiles and errors only by a Lua script): `ab` takes a number of
 * requests, a concurrency and a limit of time, counts errors by kind and foreign lengths, gives every percentile to the microsecond, uses
 * one C process beside the shop's, and is what the original's figures were taken with.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommandError, ExitCode } from "../../exit.js";
import { findTool, runTool } from "./tool.js";

export interface LoadOrder {
  readonly url: string;
  readonly requests: number;
  readonly concurrency: number;
  /** Ends it, however many requests are done. */
  readonly durationSeconds: number;
  /** One connection for many requests, or one for each. */
  readonly keepAlive: boolean;
  /** The network namespace it comes from; null: this one. */
  readonly netns: string | null;
}

export interface LoadFigures {
  /** Name and version of the tool. */
  readonly tool: string;
  /** Finished requests, good or bad. */
  readonly requests: number;
  readonly seconds: number;
  readonly requestsPerSecond: number;
  readonly p50Seconds: number;
  readonly p95Seconds: number;
  readonly p99Seconds: number;
  readonly maxSeconds: number;
  readonly errors: {
    /** The connection failed. */
    readonly connect: number;
    /** It broke during the answer. */
    readonly receive: number;
    /** The socket failed in another way. One request can count here and under `receive`. */
    readonly exception: number;
    /** The status was not 2xx. */
    readonly status: number;
  };
  /** Answers whose body length differs from the first one's. `ab` counts them as failed, though they are valid. */
  readonly otherLength: number;
  /** Bytes of the first answer's body. */
  readonly bodyBytes: number;
}

const failure = (message: string): CommandError => new CommandError(ExitCode.failure, message);

/** A request that takes longer counts as broken. */
const ANSWER_SECONDS = 30;

export function requireLoadTool(): void {
  if (findTool("ab") === undefined)
    throw failure("missing: apache2-utils; install with: apt-get install -y apache2-utils");
}

/** Sends one round of requests and waits for its end. Throws CommandError if the tool gives up. */
export async function fireLoad(order: LoadOrder): Promise<LoadFigures> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-bench-"));
  try {
    const percentiles = join(folder, "percentiles.csv");
    const words = loadArguments(order, percentiles);
    const [program, ...args] = order.netns === null ? words : ["ip", "netns", "exec", order.netns, ...words];
    const timeoutMs = (order.durationSeconds + ANSWER_SECONDS + 30) * 1000;
    const stdout = await runTool(program!, args, timeoutMs).catch((error: Error) => {
      throw failure(`ab gave up on ${order.url}: ${error.message.slice(-300)}`);
    });
    return parseLoad(stdout, readFileSync(percentiles, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The command line. `-t` before `-n`: it sets a number of its own. `-r`: a broken connection is counted, not the end. */
export function loadArguments(order: LoadOrder, percentiles: string): string[] {
  return [
    ...["ab", "-q", "-r", "-s", String(ANSWER_SECONDS), "-t", String(order.durationSeconds)],
    ...["-n", String(order.requests), "-c", String(order.concurrency), "-e", percentiles],
    ...(order.keepAlive ? ["-k"] : []),
    order.url,
  ];
}

/** Reads what `ab` printed and the percentiles it wrote. Throws CommandError if either is malformed. */
export function parseLoad(text: string, percentiles: string): LoadFigures {
  const figure = (pattern: RegExp, otherwise?: number): number => {
    const found = pattern.exec(text)?.[1];
    if (found !== undefined) return Number(found);
    if (otherwise !== undefined) return otherwise;
    throw failure(`ab printed no ${pattern.source.split(":")[0]!.replace(/^\^/, "")}`);
  };
  const milliseconds = new Map<number, number>();
  for (const [, percent, time] of percentiles.matchAll(/^(\d+),([\d.]+)$/gm))
    milliseconds.set(Number(percent), Number(time));
  const percentile = (percent: number): number => {
    const time = milliseconds.get(percent);
    if (time === undefined) throw failure(`ab gave no ${percent}th percentile`);
    return time / 1000;
  };
  const requests = figure(/^Complete requests:\s+(\d+)/m);
  if (requests === 0) throw failure("no request came to an end");
  const seconds = figure(/^Time taken for tests:\s+([\d.]+) seconds/m);
  return {
    tool: `ab ${/^This is ApacheBench, Version ([\d.]+)/m.exec(text)?.[1] ?? "of an unknown version"}`,
    requests,
    seconds,
    requestsPerSecond: figure(/^Requests per second:\s+([\d.]+)/m),
    p50Seconds: percentile(50),
    p95Seconds: percentile(95),
    p99Seconds: percentile(99),
    maxSeconds: percentile(100),
    // the line is there only when something failed
    errors: {
      connect: figure(/\(Connect: (\d+)/, 0),
      receive: figure(/\(Connect: .*Receive: (\d+)/, 0),
      exception: figure(/\(Connect: .*Exceptions: (\d+)/, 0),
      status: figure(/^Non-2xx responses:\s+(\d+)/m, 0),
    },
    otherLength: figure(/\(Connect: .*Length: (\d+)/, 0),
    bodyBytes: figure(/^Document Length:\s+(\d+)/m),
  };
}
