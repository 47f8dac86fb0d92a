import assert from "node:assert/strict";
import { test } from "node:test";
import { waves } from "./host/start-order.js";
import { LabError } from "./lab-error.js";
import { contains, instancesOf, PROFILES, planLab, readLab } from "./topology.js";

const lab = readLab();

test("every instance has an address of its own in every profile", () => {
  for (const profile of PROFILES) {
    const plan = planLab(lab, { profile, policies: false });
    assert.equal(plan.instances.length, 15);
    assert.equal(new Set(plan.instances.map((instance) => instance.address)).size, 15);
    for (const instance of plan.instances) {
      const bridge = plan.bridges.find((candidate) => candidate.name === instance.bridge)!;
      assert.ok(contains(bridge.network, instance.address));
      assert.equal(instance.gateway, bridge.address);
    }
  }
});

test("no address belongs to two services", () => {
  const all = Object.values(lab.services).flatMap((service) => service.addresses);
  assert.equal(new Set(all).size, all.length);
});

test("the flat profile has the addresses people know", () => {
  const plan = planLab(lab, { profile: "flat", policies: false });
  const at = (name: string) => plan.instances.find((instance) => instance.name === name)?.address;
  assert.equal(at("nginx-lb"), "10.0.0.10");
  assert.equal(at("product-service-3"), "10.0.0.32");
  assert.equal(at("order-node-4"), "10.0.0.43");
  assert.equal(at("web"), "10.0.0.100");
});

test("three order nodes mean quorum two", () => {
  const plan = planLab(lab, { profile: "flat", policies: false, nodes: 3 });
  assert.equal(instancesOf(plan, "order-service").length, 3);
  assert.equal(plan.cluster.quorum, 2);
  assert.throws(() => planLab(lab, { profile: "flat", policies: false, nodes: 5 }), LabError);
});

test("a call to an unknown service is refused", () => {
  const broken = structuredClone(lab);
  broken.services.web!.calls.push("unknown");
  assert.throws(() => planLab(broken, { profile: "flat", policies: false }), /web calls unknown/);
});

test("callees start before callers", () => {
  const order = waves(planLab(lab, { profile: "tiers", policies: false })).map((wave) => [
    ...new Set(wave.map((instance) => instance.service)),
  ]);
  const wave = (service: string) => order.findIndex((services) => services.includes(service));
  assert.ok(wave("service-registry") < wave("product-service"));
  assert.ok(wave("postgres-db") < wave("order-service"));
  assert.ok(wave("order-service") < wave("api-gateway"));
  assert.equal(wave("nginx-lb"), order.length - 1);
});

test("a circle of calls is named, not waited for", () => {
  const plan = planLab(lab, { profile: "flat", policies: false });
  plan.calls["redis-cache"] = ["nginx-lb"];
  assert.throws(() => waves(plan), /circle/);
});
