import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface LoadOptions {
  rps: number;
  durationSeconds: number;
  connections: number;
  mix: "browse" | "order" | "both";
}

export interface LoadResult {
  sent: number;
  ok: number;
  failed: number;
  retried: number;
  seconds: number;
  statuses: Record<string, number>;
  errors: Record<string, number>;
  latencyMs: { p50: number; p95: number; p99: number; max: number };
}

interface Target {
  host: string;
  port: number;
}

interface Shot {
  method: string;
  path: string;
  body: string;
  key: string;
}

const TIMEOUT_MS = 15_000;
// one order per three visits, about the rate of a small shop
const ORDER_SHARE = { browse: 0, order: 1, both: 0.25 };

/** An open loop: requests start on time whether or not earlier ones are answered. Ends after the given time. */
export async function runLoad(options: LoadOptions & Target): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: options.connections, scheduling: "fifo" });
  const tally = { statuses: new Map<string, number>(), errors: new Map<string, number>(), retried: 0, ok: 0 };
  const latencies: number[] = [];
  const open = new Set<Promise<void>>();
  const begin = performance.now();
  const total = Math.round(options.rps * options.durationSeconds);
  for (let index = 0; index < total; index++) {
    const due = begin + (index * 1000) / options.rps;
    if (due > performance.now()) await sleep(due - performance.now());
    const one = fire(agent, options, shotFor(options.mix, index), tally, latencies);
    open.add(one);
    void one.finally(() => open.delete(one));
  }
  await Promise.all(open);
  agent.destroy();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(latencies[Math.floor((latencies.length - 1) * share)] ?? 0);
  return {
    sent: total,
    ok: tally.ok,
    failed: total - tally.ok,
    retried: tally.retried,
    seconds: (performance.now() - begin) / 1000,
    statuses: Object.fromEntries(tally.statuses),
    errors: Object.fromEntries(tally.errors),
    latencyMs: { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
  };
}

function shotFor(mix: LoadOptions["mix"], index: number): Shot {
  const key = randomUUID();
  if (Math.random() < ORDER_SHARE[mix]) {
    const items = [{ productId: 1 + (index % 12), quantity: 1 + (index % 3) }];
    const body = JSON.stringify({ customer: `buyer${index % 50}@shop.example`, items });
    return { method: "POST", path: "/orders", body, key };
  }
  const paths = ["/products", `/products/${1 + (index % 12)}`, `/products/${1 + ((index * 7) % 12)}`, "/"];
  return { method: "GET", path: paths[index % paths.length]!, body: "", key };
}

async function fire(
  agent: Agent,
  target: Target,
  shot: Shot,
  tally: { statuses: Map<string, number>; errors: Map<string, number>; retried: number; ok: number },
  latencies: number[],
): Promise<void> {
  const begin = performance.now();
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
  try {
    let answer = await send(agent, target, shot);
    // a server may close an idle connection just as a request sets out on it: RFC 9110 9.2.2, made safe by the key
    if (answer === "stale") {
      tally.retried++;
      answer = await send(agent, target, shot);
    }
    if (answer === "stale") throw new Error("connection closed twice");
    count(tally.statuses, String(answer));
    if (answer < 400) tally.ok++;
  } catch (error) {
    count(tally.errors, (error as Error).message);
  }
  latencies.push(performance.now() - begin);
}

function send(agent: Agent, target: Target, shot: Shot): Promise<number | "stale"> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        agent,
        host: target.host,
        port: target.port,
        method: shot.method,
        path: shot.path,
        timeout: TIMEOUT_MS,
        headers: shot.body
          ? {
              "content-type": "application/json",
              "content-length": Buffer.byteLength(shot.body),
              "idempotency-key": shot.key,
            }
          : {},
      },
      (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", reject);
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    outgoing.on("error", (error: NodeJS.ErrnoException) => {
      const closed = error.code === "ECONNRESET" || error.code === "EPIPE";
      if (closed && outgoing.reusedSocket) resolve("stale");
      else reject(error);
    });
    outgoing.end(shot.body);
  });
}
