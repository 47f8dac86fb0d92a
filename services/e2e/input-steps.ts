import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import type { TestContext } from "node:test";
import { requestFrom } from "./inside.js";
import { countOrders } from "./shop-steps.js";

const SHOP = "http://127.0.0.1:8080";
const NODE = "http://10.0.0.40:8002";
const REGISTRY = "http://10.0.0.70:8500";
const good = { customer: "a@b.example", items: [{ productId: 1, quantity: 1 }] };

/** Each body that is wrong in one way, and the status that says so. */
const WRONG_ORDERS: [string, string, number][] = [
  ["broken JSON", '{"customer":', 400],
  ["nothing", "", 400],
  ["an array", "[]", 400],
  ["null", "null", 400],
  ["a customer that is no address", JSON.stringify({ ...good, customer: "you" }), 400],
  ["a customer of the wrong type", JSON.stringify({ ...good, customer: 7 }), 400],
  ["no items", JSON.stringify({ ...good, items: [] }), 400],
  ["a text for a number", JSON.stringify({ ...good, items: [{ productId: "1", quantity: 1 }] }), 400],
  ["a fraction", JSON.stringify({ ...good, items: [{ productId: 1, quantity: 1.5 }] }), 400],
  ["a negative quantity", JSON.stringify({ ...good, items: [{ productId: 1, quantity: -1 }] }), 400],
  ["a huge number", '{"customer":"a@b.example","items":[{"productId":1e400,"quantity":1}]}', 400],
  ["an unknown product", JSON.stringify({ ...good, items: [{ productId: 999, quantity: 1 }] }), 400],
  ["an extra field", JSON.stringify({ ...good, totalCents: 1 }), 400],
  [
    "__proto__",
    '{"__proto__":{"admin":true},"customer":"a@b.example","items":[{"productId":1,"quantity":1}]}',
    400,
  ],
  ["a huge body", JSON.stringify({ ...good, customer: "a".repeat(1 << 20) }), 413],
  ["SQL", JSON.stringify({ ...good, customer: "a'); drop table orders; --@b.example" }), 400],
];

export async function inputSteps(t: TestContext): Promise<void> {
  const post = (url: string, body: string, headers: Record<string, string> = {}) =>
    fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });

  await t.test("wrong orders get a clear 4xx at the gateway and at a node, and leave nothing", async () => {
    const before = await countOrders();
    for (const [what, body, status] of WRONG_ORDERS)
      for (const url of [`${SHOP}/orders`, `${NODE}/orders`]) {
        const response = await post(url, body, { "idempotency-key": randomUUID() });
        const text = await response.text();
        assert.equal(response.status, status, `${what} at ${url}: ${text.slice(0, 200)}`);
        assert.ok(text.length > 0 && !/ at .*\.js/.test(text), `${what}: ${text.slice(0, 200)}`);
      }
    assert.equal(await countOrders(), before);
  });

  await t.test("unknown and malformed ids, methods and paths", async () => {
    for (const [path, status] of [
      ["/products/0", 400],
      ["/products/abc", 400],
      ["/products/1e1", 400],
      ["/products/999", 404],
      ["/products/%00", 400],
      [`/orders/${randomUUID()}`, 404],
      ["/orders/1", 400],
      ["/orders?limit=0", 400],
      ["/orders?limit=1000", 400],
      ["/orders?other=1", 400],
      ["/nowhere", 404],
      ["/products/../../etc/passwd", 404],
    ] as const)
      assert.equal((await fetch(`${SHOP}${path}`)).status, status, path);
    assert.equal((await fetch(`${SHOP}/products`, { method: "DELETE" })).status, 404);
    assert.equal(
      (await post(`${SHOP}/orders`, JSON.stringify(good), { "idempotency-key": "x" })).status,
      400,
    );
  });

  await t.test("an order that did not come through the gateway is not taken", async () => {
    const key = { "idempotency-key": randomUUID() };
    assert.equal((await post(`${NODE}/orders`, JSON.stringify(good), key)).status, 401);
    const forged = { ...key, "x-order-signature": Buffer.alloc(64).toString("base64") };
    assert.equal((await post(`${NODE}/orders`, JSON.stringify(good), forged)).status, 401);
  });

  await t.test("payment, email, the cluster's and the registry's doors check what comes in", async () => {
    for (const [url, body, status] of [
      ["http://10.0.0.80:8003/payments", "{}", 400],
      ["http://10.0.0.80:8003/payments", "[", 400],
      ["http://10.0.0.90:2525/mails", '{"to":"x"}', 400],
      [
        "http://10.0.0.90:2525/mails",
        JSON.stringify({ key: "k", to: "a@b.c", subject: "s", text: "t" }),
        400,
      ],
      [`${NODE}/bft/votes`, "{}", 400],
      [`${NODE}/bft/commits`, '{"kind":"CREATE_ORDER"}', 400],
      [`${REGISTRY}/register`, "{}", 400],
      [`${REGISTRY}/rotate`, '{"service":"web"}', 400],
      [`${REGISTRY}/rotate`, '{"service":"__proto__"}', 400],
    ] as const)
      assert.equal((await post(url, body)).status, status, `${url} ${body}`);
    assert.equal((await fetch(`${REGISTRY}/discover/__proto__`)).status, 404);
    assert.equal((await fetch(`${REGISTRY}/discover`)).status, 400);
  });

  await t.test("no service registers for another, and only the host asks for rotations", async () => {
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({
      service: "payment",
      instance: "payment",
      address: "10.0.0.80",
      port: 8004,
    });
    const stolen = await requestFrom("web", `${REGISTRY}/register`, { method: "POST", headers, body });
    assert.equal(stolen.status, 403);
    const rotate = await requestFrom("web", `${REGISTRY}/rotate`, { method: "POST", headers, body: "{}" });
    assert.equal(rotate.status, 403);
    const gone = await requestFrom("web", `${REGISTRY}/instances/payment`, { method: "DELETE" });
    assert.equal(gone.status, 403);
  });

  await t.test("every service has /health and /metrics", async () => {
    for (const address of [
      "10.0.0.20:8080",
      "10.0.0.30:8001",
      "10.0.0.40:8002",
      "10.0.0.70:8500",
      "10.0.0.80:8003",
      "10.0.0.90:2525",
      "10.0.0.100:3000",
    ]) {
      assert.equal((await fetch(`http://${address}/health`)).status, 200);
      assert.match(await (await fetch(`http://${address}/metrics`)).text(), /^http_requests_total\{/m);
    }
  });
}
