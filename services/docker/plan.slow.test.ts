import assert from "node:assert/strict";
import { test } from "node:test";
import { nginxConfig } from "../servers/nginx.js";
import { instancesOf, readLab } from "../topology.js";
import { replicaOf } from "./place.js";
import { planContainers } from "./plan.js";

const PLAN = planContainers(readLab());

test("in containers a name stands for an address: an order node's own, any other service's", () => {
  assert.deepEqual(
    PLAN.instances.map(({ name, address }) => [name, address]).filter(([name, address]) => name !== address),
    [],
  );
  assert.deepEqual(
    instancesOf(PLAN, "order-service").map(({ name }) => name),
    ["order-node-1", "order-node-2", "order-node-3", "order-node-4"],
  );
  assert.deepEqual(
    instancesOf(PLAN, "product-service").map(({ name, moving }) => [name, moving]),
    [["product-service", true]],
  );
});

test("what nginx calls stays on one port, and nginx knows it by name", () => {
  const [gateway] = instancesOf(PLAN, "api-gateway");
  assert.deepEqual([gateway?.ports, gateway?.moving], [[8080], false]);
  const config = nginxConfig(PLAN, instancesOf(PLAN, "nginx-lb")[0]!);
  assert.match(config, /upstream gateway_8080 \{ server api-gateway:8080 /);
  assert.match(config, /listen 0\.0\.0\.0:80 /);
});

test("a replica is called as compose numbers it, whichever compose", () => {
  assert.equal(replicaOf("product-service", "shop-product-service-1.shop_backend"), "product-service");
  assert.equal(replicaOf("product-service", "shop_product-service_12.shop_backend"), "product-service-12");
  assert.equal(replicaOf("product-service", "shop-email-1.shop_backend"), undefined);
  assert.equal(replicaOf("product-service", "3f2a90c1d4e5"), undefined);
  assert.equal(replicaOf("product-service", ""), undefined);
});
