/** Checks that a Redis server answers PING (redis.io, RESP). */
import type { HealthTarget } from "./health.js";
import { converse } from "./health-tcp.js";

const PING = Buffer.from("*1\r\n$4\r\nPING\r\n");

export async function checkRedis(target: HealthTarget, signal: AbortSignal): Promise<void> {
  const answer = await converse(target, signal, PING, (bytes) => bytes.includes("\r\n"));
  const line = answer.toString("latin1").split("\r\n", 1)[0]!;
  // A server that asks for a password is up: it answered.
  if (line === "+PONG" || line.startsWith("-NOAUTH")) return;
  throw new Error(line.startsWith("-") ? `Redis says ${line.slice(1, 80)}` : "the answer is not Redis's");
}
