import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { labFault } from "../commands/fault.js";
import { labLoad } from "../commands/load.js";
import type { LoadOptions, LoadResult } from "../commands/load-client.js";
import { labRotate, type Move } from "../commands/rotate.js";
import { postgresClient } from "../host/health.js";
import { logFile } from "../host/processes.js";
import { readPlan } from "../host/state.js";
import { connectionsFrom, datagramFrom, requestFrom } from "./inside.js";

const SHOP = "http://198.51.100.1:8080";
const ORDER = JSON.stringify({ customer: "buyer@shop.example", items: [{ productId: 1, quantity: 2 }] });
const JSON_TYPE = { "content-type": "application/json" };

export function order(base = "http://127.0.0.1:8080", key: string = randomUUID()): Promise<Response> {
  return fetch(`${base}/orders`, {
    method: "POST",
    headers: { ...JSON_TYPE, "idempotency-key": key },
    body: ORDER,
  });
}

/** Orders, their lines and their commits: each needs the others. */
export async function countOrders(): Promise<number> {
  const database = readPlan().instances.find((instance) => instance.service === "postgres-db")!;
  const client = postgresClient(database, "shop");
  await client.connect();
  try {
    const { rows } = await client.query(
      `select (select count(*)::int from orders) as orders,
        (select count(distinct order_id)::int from order_items) as with_items,
        (select count(*)::int from commits where kind = 'CREATE_ORDER') as commits,
        (select count(*)::int from commits where kind = 'PROCESS_PAYMENT') as payments,
        (select count(*)::int from orders where payment_status = 'paid') as paid`,
    );
    const [{ orders, with_items, commits, payments, paid }] = rows;
    assert.deepEqual([with_items, commits], [orders, orders]);
    assert.equal(payments, paid);
    return orders;
  } finally {
    await client.end();
  }
}

export async function shopSteps(t: TestContext): Promise<void> {
  await t.test("an outside client browses and orders through port 8080", async () => {
    assert.equal((await requestFrom("client", `${SHOP}/health`)).status, 200);
    const list = JSON.parse((await requestFrom("client", `${SHOP}/products`)).body);
    assert.equal(list.products.length, 12);
    assert.equal(JSON.parse((await requestFrom("client", `${SHOP}/products/3`)).body).name, "Bread knife");
    assert.match((await requestFrom("client", `${SHOP}/`)).body, /<h1>Lab shop<\/h1>/);
    const order = { method: "POST", headers: JSON_TYPE, body: ORDER };
    let placed = await requestFrom("client", `${SHOP}/orders`, order);
    // On a busy machine a node may vote too late, which refuses the payment.
    await waitFor(async () => {
      assert.equal(placed.status, 201);
      if (JSON.parse(placed.body).payment.status === "paid") return true;
      placed = await requestFrom("client", `${SHOP}/orders`, order);
      return false;
    });
    const { id, payment, totalCents } = JSON.parse(placed.body);
    assert.deepEqual([payment.status, totalCents], ["paid", 2580]);
    const kept = JSON.parse((await requestFrom("client", `${SHOP}/orders/${id}`)).body);
    assert.deepEqual([kept.totalCents, kept.payment.status, kept.items.length], [2580, "paid", 1]);
    const newest = JSON.parse((await requestFrom("client", `${SHOP}/orders?limit=5`)).body);
    assert.equal(newest.orders[0].id, id);
  });

  await t.test("the gateway is told the outside client's own address", async () => {
    await waitFor(async () =>
      /"client":"198\.51\.100\.10"/.test(readFileSync(logFile("api-gateway"), "utf8")),
    );
  });

  await t.test("localhost:8080 works, and so does the host's address seen from inside", async () => {
    assert.equal((await fetch("http://127.0.0.1:8080/products/1")).status, 200);
    assert.equal((await requestFrom("email", "http://10.0.0.1:8080/health")).status, 200);
    assert.equal((await fetch("http://[fd6e:7700::10]/health")).status, 200);
    assert.equal(await connectionsFrom("client", "10.0.0.60", 5432), 0, "outside only by the forwarded port");
  });

  await t.test(
    "services reach the internet host as the host, and nothing reaches the host's loopback",
    async () => {
      assert.equal((await requestFrom("web", "http://203.0.113.10/")).body, "203.0.113.9");
      assert.equal(await datagramFrom("web", "203.0.113.10", 53), "hello");
    },
  );

  await t.test("the same key twice is one order; with another content it is refused", async () => {
    const key = randomUUID();
    const before = await countOrders();
    const [first, second] = await Promise.all([order(undefined, key), order(undefined, key)]);
    assert.deepEqual([first.ok, second.ok], [true, true]);
    assert.equal((await countOrders()) - before, 1);
    const body = JSON.stringify({ customer: "buyer@shop.example", items: [{ productId: 2, quantity: 1 }] });
    const other = await fetch("http://127.0.0.1:8080/orders", {
      method: "POST",
      headers: { ...JSON_TYPE, "idempotency-key": key },
      body,
    });
    assert.equal(other.status, 409);
    const mails = (await (await fetch("http://10.0.0.90:2525/mails")).json()) as { mails: { key: string }[] };
    assert.equal(mails.mails.filter((mail) => mail.key === key).length, 1);
  });

  await t.test("requests spread over the three product instances", async () => {
    for (let turn = 0; turn < 12; turn++) await fetch("http://127.0.0.1:8080/products/1");
    const { healthy, requests } = (await (await fetch("http://10.0.0.20:8080/distribution")).json()) as {
      healthy: number;
      requests: Record<string, number>;
    };
    assert.equal(healthy, 3);
    assert.equal(Object.keys(requests).length, 3);
    assert.ok(Math.max(...Object.values(requests)) - Math.min(...Object.values(requests)) <= 2);
  });

  await t.test("without Redis the shop goes on, and uses it again when it is back", async () => {
    const { failed } = await loadDuring({ rps: 40, connections: 20, mix: "browse" }, async (round) => {
      await round();
      await labFault("redis-cache", "dead");
      await round();
      await labFault("redis-cache", "ok");
    });
    assert.equal(failed, 0);
    await waitFor(async () =>
      (await (await fetch("http://10.0.0.30:8001/health")).text()).includes('"ready"'),
    );
  });

  await t.test("without PostgreSQL orders say 503 and nothing is half-written", async () => {
    const before = await countOrders();
    const { statuses, errors } = await loadDuring(
      { rps: 10, connections: 20, mix: "order" },
      async (round) => {
        await round();
        await labFault("postgres-db", "dead");
        const refused = await order();
        assert.equal(refused.status, 503, await refused.text());
        assert.equal((await fetch("http://127.0.0.1:8080/products/1")).status, 200);
        await round();
        await labFault("postgres-db", "ok");
      },
    );
    assert.deepEqual(Object.keys(statuses).sort(), ["201", "503"]);
    assert.deepEqual(errors, {});
    await waitFor(async () => (await order()).status === 201);
    assert.ok((await countOrders()) - before >= statuses["201"]!);
  });

  await t.test("three rotations under load at 50 connections lose no request", async () => {
    const moves: Move[] = [];
    const result = await loadDuring({ rps: 40, connections: 50, mix: "both" }, async (round) => {
      for (let turn = 0; turn < 3; turn++) {
        await round();
        moves.push(...(await labRotate()));
      }
    });
    assert.equal(moves.length, 18);
    assert.ok(moves.every((move) => move.from !== move.to));
    assert.deepEqual([result.failed, result.retried], [0, 0], JSON.stringify(result));
    // The registry hears of ports every few seconds: a port that was left and taken again in between counts as one tenancy.
    const last = new Map(moves.map(({ instance, to }) => [instance, to]));
    await waitFor(async () => {
      const { history } = (await (await fetch("http://10.0.0.70:8500/history")).json()) as {
        history: { instance: string; port: number; to: number | null }[];
      };
      const open = history.filter((entry) => entry.to === null);
      const stale = moves.filter(
        ({ instance, from }) =>
          from !== last.get(instance) &&
          !history.some((entry) => entry.instance === instance && entry.port === from && entry.to !== null),
      );
      const wrong = open.filter(({ instance, port }) => last.has(instance) && last.get(instance) !== port);
      // six that moved, each on one port again, and the others where they were
      assert.deepEqual([open.length, wrong, stale], [11, [], []]);
      return true;
    });
  });
}

type LoadSum = Pick<LoadResult, "failed" | "retried" | "statuses" | "errors">;

/** Load from before `work` begins until it has ended, however long that takes. `round` resolves when a whole round of load has passed. */
async function loadDuring(
  options: Omit<LoadOptions, "durationSeconds">,
  work: (round: () => Promise<void>) => Promise<void>,
): Promise<LoadSum> {
  const total: LoadSum = { failed: 0, retried: 0, statuses: {}, errors: {} };
  let [rounds, isOver] = [0, false];
  const load = (async () => {
    do {
      const one = await labLoad({ ...options, durationSeconds: 2 });
      total.failed += one.failed;
      total.retried += one.retried;
      for (const list of ["statuses", "errors"] as const)
        for (const [name, count] of Object.entries(one[list]))
          total[list][name] = (total[list][name] ?? 0) + count;
      rounds++;
    } while (!isOver);
  })();
  const round = async (): Promise<void> => {
    // The current round may have begun too early.
    const enough = rounds + 2;
    await Promise.race([load, waitFor(async () => rounds >= enough)]);
  };
  try {
    await work(round);
  } finally {
    isOver = true;
    await load;
  }
  return total;
}

const PATIENCE_MS = 180_000;

/** Fails after minutes, with the condition's last message. */
export async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  let last: unknown;
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(100))
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
  assert.fail(`it did not come about in time: ${last ?? condition}`);
}
