import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { digestOf, signerFrom, signVote } from "./bft/message.js";
import { labDown } from "./commands/down.js";
import { labFault } from "./commands/fault.js";
import { labLoad } from "./commands/load.js";
import { isLabRunning, labStatus } from "./commands/status.js";
import { labUp } from "./commands/up.js";
import { browserStep } from "./e2e/browser-step.js";
import { clusterSteps } from "./e2e/cluster-steps.js";
import { eventSteps, routedEventSteps } from "./e2e/event-steps.js";
import { inputSteps } from "./e2e/input-steps.js";
import { connectionsFrom, requestFrom } from "./e2e/inside.js";
import { hostSettings, labRemains } from "./e2e/machine.js";
import { policySteps, rateLimitStep, withAndWithoutBridgeCalls } from "./e2e/policy-steps.js";
import { order, shopSteps, waitFor } from "./e2e/shop-steps.js";
import { guardLab } from "./guard.test.fixture.js";
import { runCommand, tryCommand } from "./host/command.js";
import { registeredPorts } from "./host/health.js";
import { requirePrograms } from "./host/requirements.js";
import { readPlan, readState, STATE_DIR } from "./host/state.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));
const quiet = (): void => {};

function reasonToSkip(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "needs root on Linux: it makes network namespaces";
  if (isLabRunning()) return "a lab is up already, and it is not this test's";
  try {
    requirePrograms();
    return false;
  } catch (error) {
    return (error as Error).message;
  }
}

test("the lab, from up to down", { skip: reasonToSkip(), timeout: 3_600_000 }, async (t) => {
  // a killed run's
  await labDown(quiet);
  const release = guardLab();
  const before = hostSettings();
  try {
    await t.test("a namespace or a link of someone else's is left alone", foreign);
    await t.test("flat", flat);
    await t.test("flat with policies", async (step) => {
      const plan = await labUp({ profile: "flat", policies: true }, quiet);
      await withAndWithoutBridgeCalls((mode) => policySteps(step, plan, mode));
      await step.test("events", (inner) => eventSteps(inner, plan));
      await rateLimitStep(step, plan);
    });
    await labDown(quiet);
    await t.test("three nodes, quorum two", threeNodes);
    await labDown(quiet);
    await t.test("tiers with policies", async (step) => {
      const plan = await labUp({ profile: "tiers", policies: true }, quiet);
      await policySteps(step, plan, "routed");
      assert.equal((await labLoad({ rps: 30, durationSeconds: 2, connections: 8, mix: "both" })).failed, 0);
      await step.test("events", (inner) => routedEventSteps(inner, plan));
      await rateLimitStep(step, plan);
    });
  } finally {
    await labDown(quiet);
    release();
  }
  await t.test("afterwards the machine is as it was", async () => {
    assert.deepEqual(await labRemains(), []);
    assert.deepEqual(hostSettings(), before);
    assert.equal(existsSync(STATE_DIR), false);
    assert.equal(await labDown(quiet), false, "down again finds nothing");
  });
});

async function foreign(): Promise<void> {
  for (const [add, remove, message] of [
    ["netns add web", "netns delete web", /a namespace web exists and is not the lab's/],
    ["link add lab-web type bridge", "link delete lab-web", /a link lab-web exists and is not the lab's/],
  ] as const) {
    await runCommand("ip", add.split(" "));
    try {
      await assert.rejects(labUp({}, quiet), message);
      assert.equal(existsSync(STATE_DIR), false);
    } finally {
      await runCommand("ip", remove.split(" "));
    }
  }
}

async function flat(t: TestContext): Promise<void> {
  await t.test("two ups at once make one lab", async () => {
    const outputs = await Promise.all(
      [1, 2].map(() => runCommand(process.execPath, [MAIN, "lab", "up"], { timeoutMs: 600_000 })),
    );
    for (const output of outputs) assert.match(output, /nginx-lb +10\.0\.0\.10/);
    await waitFor(async () => (await labStatus()).instances.every(({ state }) => state === "healthy"));
    const { memory } = await labStatus();
    assert.ok(memory.pssKib < 1.2 * 1024 * 1024, `${memory.pssKib} KiB`);
  });
  await t.test("an idle up changes nothing", async () => {
    const processes = readState()?.processes;
    const rules = (await tryCommand("nft", ["list", "table", "inet", "netwatch_lab"])).stdout;
    assert.match(rules, /counter packets [1-9]/);
    await labUp({ profile: "flat", policies: false }, quiet);
    assert.deepEqual(readState()?.processes, processes);
    const after = (await tryCommand("nft", ["list", "table", "inet", "netwatch_lab"])).stdout;
    assert.match(after, /counter packets [1-9]/, "counters were not reset");
  });
  await t.test("input", inputSteps);
  await t.test("shop", shopSteps);
  await browserStep(t);
  await t.test("cluster", clusterSteps);
  await t.test("repair", repair);
}

async function repair(t: TestContext): Promise<void> {
  await t.test("up mends what was torn out", async () => {
    await labFault("payment", "dead");
    await labFault("nginx-lb", "dead");
    await runCommand("ip", ["link", "delete", "dev", "lab-web"]);
    await runCommand("ip", ["-n", "email", "route", "delete", "default"]);
    await runCommand("nft", ["delete", "table", "inet", "netwatch_lab"]);
    await assert.rejects(fetch("http://127.0.0.1:8080/health", { signal: AbortSignal.timeout(1000) }));
    await labUp({}, quiet);
    assert.equal((await requestFrom("client", "http://198.51.100.1:8080/")).status, 200);
    await waitFor(async () => {
      const { payment } = (await (await order()).json()) as { payment: { status: string } };
      return payment.status === "paid";
    });
  });

  await t.test("a server that dies is reported with its log's last lines", async () => {
    await labFault("web", "dead");
    const status = await labStatus();
    assert.equal(status.instances.find((instance) => instance.name === "web")?.state, "dead");
    const squatter = 'require("net").createServer().listen(3000, "10.0.0.100")';
    const squatting = spawn("ip", ["netns", "exec", "web", process.execPath, "-e", squatter]);
    await waitFor(
      async () => (await tryCommand("ip", ["netns", "exec", "web", "ss", "-Hltn"])).stdout !== "",
    );
    try {
      await assert.rejects(
        labUp({ profile: "flat", policies: false }, quiet),
        /web ended; its log's last lines:\n.*no port is free/s,
      );
    } finally {
      squatting.kill();
      await once(squatting, "exit");
    }
    await labUp({ profile: "flat", policies: false }, quiet);
  });

  await t.test("another profile needs a down first", async () => {
    await assert.rejects(
      labUp({ profile: "tiers", policies: false }, quiet),
      /run 'netwatch lab down' first/,
    );
  });
}

async function threeNodes(t: TestContext): Promise<void> {
  await t.test("it says that it tolerates no liar, and survives one dead node", async () => {
    const output = await runCommand(process.execPath, [MAIN, "lab", "up", "--nodes", "3"], {
      timeoutMs: 600_000,
    });
    assert.match(output, /3 nodes, quorum 2: .*tolerates no liar/);
    await labFault("order-node-1", "dead");
    assert.equal((await order()).status, 201);
  });
  await t.test("payment takes the votes of the three nodes, and none of the gateway's", gatewayVote);
  await t.test("a FORWARD policy of DROP does not cut the lab", forwardDrop);
}

/** Signed with the keys of a real lab, as a gateway that was taken over could. */
async function gatewayVote(): Promise<void> {
  const plan = readPlan();
  const place = plan.instances.find(({ name }) => name === "payment")!;
  const port = (await registeredPorts(plan)).get("payment")!;
  const pay = async (voters: readonly string[]): Promise<number> => {
    const opId = randomUUID();
    const kind = "PROCESS_PAYMENT" as const;
    const payload = { orderId: opId, amountCents: 1 };
    const digest = digestOf(kind, opId, payload);
    const votes = voters.map((node) =>
      signVote(
        { kind, opId, digest, nonce: opId, node, accept: true, reason: "" },
        signerFrom(node, readFileSync(`${STATE_DIR}/keys/${node}.pem`, "utf8")),
      ),
    );
    const { status } = await fetch(`http://${place.address}:${port}/payments`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ kind, opId, payload, digest, votes }),
    });
    return status;
  };
  assert.equal(await pay(["order-node-1", "order-node-2", "api-gateway"]), 403);
  assert.equal(await pay(["order-node-1", "order-node-2", "order-node-3"]), 201);
}

/** As Docker sets it. Only if the chain is unchanged; restored afterwards. */
async function forwardDrop(t: TestContext): Promise<void> {
  const { stdout } = await tryCommand("iptables", ["-w", "-S", "FORWARD"]);
  if (stdout.trim() !== "-P FORWARD ACCEPT") return t.skip("the FORWARD chain is in use on this machine");
  const had = (await tryCommand("nft", ["list", "table", "ip", "filter"])).code === 0;
  await runCommand("iptables", ["-w", "-P", "FORWARD", "DROP"]);
  try {
    assert.equal(await connectionsFrom("client", "198.51.100.1", 8080), 0);
    await labUp({}, quiet);
    assert.equal((await requestFrom("client", "http://198.51.100.1:8080/products")).status, 200);
  } finally {
    await runCommand("iptables", ["-w", "-P", "FORWARD", "ACCEPT"]);
    await labDown(quiet);
    if (!had) await tryCommand("nft", ["delete", "table", "ip", "filter"]);
  }
}
