import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { tryCommand } from "../host/command.js";
import { registeredPorts } from "../host/health.js";
import type { Plan } from "../topology.js";
import { BRIEF_MS, connectionsFrom, datagramFrom, reaches, requestFrom } from "./inside.js";

const BRIDGE_CALLS = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/** `work` once with bridged packets shown to the IP rules and once without; the setting is put back. */
export async function withAndWithoutBridgeCalls(work: (mode: string) => Promise<void>): Promise<void> {
  if (!existsSync(BRIDGE_CALLS)) return work("br_netfilter not loaded");
  const before = readFileSync(BRIDGE_CALLS, "utf8");
  try {
    for (const value of ["1", "0"]) {
      writeFileSync(BRIDGE_CALLS, value);
      await work(`bridge-nf-call-iptables=${value}`);
    }
  } finally {
    writeFileSync(BRIDGE_CALLS, before);
  }
}

export async function policySteps(t: TestContext, plan: Plan, mode: string): Promise<void> {
  const at = (name: string): string => plan.instances.find((instance) => instance.name === name)!.address;
  const label = `${plan.profile}, ${mode}`;

  await t.test(`PostgreSQL only from the order nodes (${label})`, async () => {
    assert.ok(await reaches("order-node-3", at("postgres-db"), 5432));
    const strangers = ["web", "product-service", "redis-cache", "api-gateway", "client"];
    for (const [netns, open] of await all(strangers, (netns) =>
      connectionsFrom(netns, at("postgres-db"), 5432),
    ))
      assert.equal(open, 0, netns);
  });

  await t.test(`Redis only from the product instances (${label})`, async () => {
    assert.ok(await reaches("product-service-2", at("redis-cache"), 6379));
    const strangers = ["web", "order-node-1", "postgres-db", "nginx-lb", "client"];
    for (const [netns, open] of await all(strangers, (netns) =>
      connectionsFrom(netns, at("redis-cache"), 6379),
    ))
      assert.equal(open, 0, netns);
  });

  await t.test(`a borrowed address opens no door (${label})`, async () => {
    const order = plan.instances.find((instance) => instance.name === "order-node-1")!;
    const thief = plan.instances.find(
      (instance) => instance.bridge === order.bridge && instance.service === "email",
    )!;
    const borrow = (verb: string) =>
      tryCommand("ip", [
        "-n",
        thief.name,
        "address",
        verb,
        `${order.address}/${order.prefix}`,
        "dev",
        "eth0",
      ]);
    await borrow("add");
    try {
      const route = ["-n", thief.name, "route", "replace", at("postgres-db"), "src", order.address];
      const way = plan.profile === "flat" ? ["dev", "eth0"] : ["via", order.gateway];
      await tryCommand("ip", [...route, ...way]);
      assert.equal(await connectionsFrom(thief.name, at("postgres-db"), 5432), 0);
    } finally {
      await tryCommand("ip", ["-n", thief.name, "route", "delete", at("postgres-db")]);
      await borrow("delete");
    }
  });

  await t.test(`egress only 80, 443 and 53, the rest dropped and counted (${label})`, async () => {
    assert.equal((await requestFrom("web", "http://203.0.113.10/")).status, 200);
    assert.ok(await reaches("web", "203.0.113.10", 443));
    assert.equal(await datagramFrom("web", "203.0.113.10", 53), "hello");
    const before = await dropped("egress, everything else");
    assert.equal(await connectionsFrom("web", "203.0.113.10", 8443), 0);
    assert.equal(await datagramFrom("web", "203.0.113.10", 443, BRIEF_MS), "");
    assert.ok((await dropped("egress, everything else")) >= before + 2);
  });
}

export async function rateLimitStep(t: TestContext, plan: Plan): Promise<void> {
  await t.test(`new connections to the gateway are limited per source (${plan.profile})`, async () => {
    const gateway = plan.instances.find((instance) => instance.service === "api-gateway")!;
    const port = (await registeredPorts(plan)).get(gateway.name)!;
    const before = await dropped("new connections to the gateway, per source");
    const { burst, connectionsPerMinute } = plan.policyRules.gateway;
    const began = performance.now();
    const open = await connectionsFrom("email", gateway.address, port, 60, 5000);
    const most = burst + (connectionsPerMinute * (performance.now() - began)) / 60_000 + 1;
    assert.ok(open >= burst - 2 && open <= most, `${open} of 60 at once, where ${most} may`);
    assert.ok((await dropped("new connections to the gateway, per source")) > before);
    assert.ok(await reaches("payment", gateway.address, port), "others are not made to wait");
    assert.equal((await fetch("http://127.0.0.1:8080/products/1")).status, 200);
  });
}

async function all<T>(names: string[], work: (name: string) => Promise<T>): Promise<[string, T][]> {
  return Promise.all(names.map(async (name): Promise<[string, T]> => [name, await work(name)]));
}

/** Packets that the rules with this comment dropped so far, in both families. */
export async function dropped(comment: string): Promise<number> {
  const { stdout } = await tryCommand("nft", ["list", "ruleset"]);
  const lines = stdout.split("\n").filter((line) => line.endsWith(`comment "${comment}"`));
  return lines.reduce((sum, line) => sum + Number(/counter packets (\d+)/.exec(line)?.[1] ?? 0), 0);
}
