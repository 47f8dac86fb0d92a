import assert from "node:assert/strict";
import { tryCommand } from "../host/command.js";

export interface Reply {
  status: number;
  headers: Record<string, string>;
  body: string;
}

const FETCH = `
const { url, ...options } = JSON.parse(process.argv[1]);
fetch(url, { ...options, signal: AbortSignal.timeout(120000) }).then(async (r) => process.stdout.write(JSON.stringify(
  { status: r.status, headers: Object.fromEntries(r.headers), body: await r.text() })));
`;

const CONNECT = `
const { host, port, count, waitMs } = JSON.parse(process.argv[1]);
let open = 0, left = count;
const done = () => { if (--left === 0) { process.stdout.write(String(open)); process.exit(0); } };
for (let i = 0; i < count; i++) {
  const socket = require("net").connect({ host, port });
  socket.on("connect", () => { open++; socket.destroy(); done(); });
  socket.on("error", done);
  setTimeout(() => { if (socket.connecting) { socket.removeAllListeners(); socket.on("error", () => {}); socket.destroy(); done(); } }, waitMs);
}
`;

const DATAGRAM = `
const { host, port, waitMs } = JSON.parse(process.argv[1]);
const socket = require("dgram").createSocket("udp4");
socket.on("message", (m) => { process.stdout.write(m); process.exit(0); });
socket.send("hello", port, host);
setTimeout(() => process.exit(0), waitMs);
`;

/** Time-out for expected answers, milliseconds. */
const PATIENCE_MS = 120_000;
/** Time-out for dropped packets, which never come. */
export const BRIEF_MS = 700;

/** A request from inside a namespace. */
export async function requestFrom(
  netns: string,
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  const result = await node(netns, FETCH, { url, ...options });
  assert.equal(result.code, 0, `${netns} -> ${url}: ${result.stderr.slice(0, 300)}`);
  return JSON.parse(result.stdout) as Reply;
}

/** How many of `count` simultaneous connections from inside a namespace succeed in time. */
export async function connectionsFrom(
  netns: string,
  host: string,
  port: number,
  count = 1,
  waitMs = BRIEF_MS,
): Promise<number> {
  return Number((await node(netns, CONNECT, { host, port, count, waitMs })).stdout);
}

/** Whether a connection succeeds, without a time limit. */
export async function reaches(netns: string, host: string, port: number): Promise<boolean> {
  return (await connectionsFrom(netns, host, port, 1, PATIENCE_MS)) === 1;
}

/** The answer to a datagram from inside a namespace; empty: none in time. */
export async function datagramFrom(
  netns: string,
  host: string,
  port: number,
  waitMs = PATIENCE_MS,
): Promise<string> {
  return (await node(netns, DATAGRAM, { host, port, waitMs })).stdout;
}

function node(netns: string, script: string, argument: unknown) {
  const words = ["netns", "exec", netns, process.execPath, "-e", script, JSON.stringify(argument)];
  return tryCommand("ip", words, { timeoutMs: PATIENCE_MS + 30_000 });
}
