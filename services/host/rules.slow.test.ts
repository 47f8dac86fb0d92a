import assert from "node:assert/strict";
import { test } from "node:test";
import { PROFILES, planLab, readLab } from "../topology.js";
import { tryCommand } from "./command.js";
import { reasonOf, renderRules } from "./rules.js";

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
    const drop = `ip daddr { ${database} } counter goto drop_restricted_service `;
    assert.equal(text.split("\n").filter((line) => line.includes(drop)).length, plan.policies ? 2 : 0);
  }
});

test("a chain for each reason notes who it was in one rule and drops in another, so that a full set stops nothing", () => {
  for (const plan of plans) {
    const text = renderRules(plan);
    const chains = [...text.matchAll(/^ {2}chain (drop_\w+) \{\n(.*)\n(.*)\n {2}\}$/gm)];
    const used = [...text.matchAll(/goto (\w+)/g)].map(([, name]) => name!);
    assert.deepEqual(new Set(chains.map(([, name]) => name)), new Set(used));
    for (const [, name, note, drop] of chains) {
      const reason = reasonOf(name!);
      assert.ok(reason !== undefined, name);
      assert.match(note!, new RegExp(`update @noted_${reason.replaceAll("-", "_")} \\{.* counter \\}`));
      assert.match(drop!, /^ {4}counter drop comment/);
    }
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
