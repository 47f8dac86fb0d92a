import assert from "node:assert/strict";
import { test } from "node:test";
import { normalise, orderFlaw, priced } from "./order-rules.js";

test("equal orders become equal, whatever the order of their lines", () => {
  const items = [
    { productId: 2, quantity: 1 },
    { productId: 1, quantity: 2 },
    { productId: 2, quantity: 3 },
  ];
  assert.deepEqual(normalise({ customer: "a@b.example", items }).items, [
    { productId: 1, quantity: 2 },
    { productId: 2, quantity: 4 },
  ]);
});

test("unknown products and too many of one are named", () => {
  const flaw = (productId: number, quantity: number) =>
    orderFlaw({ customer: "a@b.example", items: [{ productId, quantity }] });
  assert.equal(flaw(1, 1), "");
  assert.match(flaw(99, 1), /no product 99/);
  assert.match(flaw(1, 101), /at most 100/);
});

test("prices come from the catalogue", () => {
  const items = [{ productId: 1, quantity: 2 }];
  const order = priced("id", { customer: "a@b.example", items, clientSignature: "" });
  assert.equal(order.totalCents, 2580);
});
