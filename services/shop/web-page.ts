/** The shop's only page. Text from the services is set as text, never as markup. */
export const WEB_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lab shop</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
li { display: flex; gap: 1rem; align-items: baseline; border-bottom: 1px solid #ddd; padding: .4rem 0; }
li b { flex: 1; } ul { padding: 0; } button { font: inherit; } #message { min-height: 1.5em; font-weight: 600; }
</style>
</head>
<body>
<h1>Lab shop</h1>
<p id="message" role="status">Loading…</p>
<ul id="products"></ul>
<script src="/shop.js"></script>
</body>
</html>
`;

export const WEB_SCRIPT = `"use strict";
const message = document.getElementById("message");
const list = document.getElementById("products");
const price = (cents) => (cents / 100).toFixed(2);
async function buy(product) {
  message.textContent = "Ordering " + product.name + "…";
  const response = await fetch("/orders", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ customer: "visitor@shop.example", items: [{ productId: product.id, quantity: 1 }] }),
  });
  const order = await response.json();
  message.textContent = response.ok
    ? "Order " + order.id.slice(0, 8) + " " + order.status + ", payment " + order.payment.status
    : "Not ordered: " + order.error;
}
async function show() {
  const { products } = await (await fetch("/products")).json();
  for (const product of products) {
    const item = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = product.name;
    const cost = document.createElement("span");
    cost.textContent = price(product.priceCents);
    const button = document.createElement("button");
    button.textContent = "Buy";
    button.addEventListener("click", () => buy(product).catch(fail));
    item.append(name, cost, button);
    list.append(item);
  }
  message.textContent = products.length + " products";
  if (location.hash === "#buy") list.querySelector("button").click();
}
const fail = (error) => { message.textContent = "The shop is away: " + error.message; };
show().catch(fail);
`;
