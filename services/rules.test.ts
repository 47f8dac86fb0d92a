import assert from "node:assert/strict";
import { test } from "node:test";
import { tryCommand } from "./command.js";
import { renderRules } from "./rules.js";
import { PROFILES, planLab, readLab } from "./topology.js";

const isRoot = process.getuid?.() === 0;
const plans = PROFILES.flatMap((profile) =>
  [false, true].map((policies) => planLab(readLab(), { profile, policies })),
);

test("every rule says what it is for", () => {
  for (const plan of plans)
    for (const line of renderRules(plan).split("\n"))
      if (/\b(accept|drop|dnat|masquerade|log)\b/.test(line) && !line.includes("policy accept"))
        assert.match(line, /comment "[^"]+"$/);
});

test("nothing outside the lab's own tables is named", () => {
  for (const plan of plans)
    for (const line of renderRules(plan).split("\n"))
      if (/^(add|delete)? ?table /.test(line)) assert.match(line, / (inet|bridge) netwatch_lab/);
});

test("policies end in a drop, for bridged and for routed packets alike", () => {
  for (const plan of plans) {
    const text = renderRules(plan);
    const database = plan.instances.find((instance) => instance.service === "postgres-db")!.address;
    const drops = text.split("\n").filter((line) => line.includes(`ip daddr { ${database} } counter drop`));
    assert.equal(drops.length, plan.policies ? 2 : 0);
    assert.equal(text.includes("table bridge netwatch_lab {"), plan.policies);
  }
});

test("only the callers of lab.json pass to a restricted service", () => {
  const plan = planLab(readLab(), { profile: "flat", policies: true });
  assert.match(
    renderRules(plan),
    /ip saddr \{ 10\.0\.0\.40, 10\.0\.0\.41, 10\.0\.0\.42, 10\.0\.0\.43 \} ip daddr \{ 10\.0\.0\.60 \} tcp dport \{ 5432 \} counter accept/,
  );
});

test("nft takes the rules", {
  skip: isRoot ? false : "needs root: nft checks rules in the kernel",
}, async () => {
  for (const plan of plans) {
    const { code, stderr } = await tryCommand("nft", ["-c", "-f", "-"], { input: renderRules(plan) });
    assert.equal(code, 0, stderr);
  }
});
