import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { tryCommand } from "../command.js";
import { flawOf } from "../events/event-schema.test.fixture.js";
import { labFault } from "../fault.js";
import { registeredPorts } from "../health.js";
import { labRotate } from "../rotate.js";
import type { Plan } from "../topology.js";
import { connectionsFrom, datagramFrom, requestFrom } from "./inside.js";
import { order, waitFor } from "./shop-steps.js";

/** The samples that the Wazuh rules are tested with; RECORD_EVENTS=1 writes them anew, of a real run. */
const SAMPLES = new URL("../../../services/wazuh/samples/lab.ndjson", import.meta.url);

type Fields = Readonly<Record<string, string | number>>;

/** The lines that are written from now on. */
function follow({ events }: Plan): () => string[] {
  const before = readFileSync(events!.path, "utf8").length;
  return () => readFileSync(events!.path, "utf8").slice(before).trimEnd().split("\n").filter(Boolean);
}

/** Each thing that should not be gives its event, told by who is there to see it. */
export async function eventSteps(t: TestContext, plan: Plan): Promise<void> {
  const at = (name: string): string => plan.instances.find((instance) => instance.name === name)!.address;
  const lines = follow(plan);
  const events = () => lines().map((line) => JSON.parse(line) as Fields);
  const find = (wanted: Fields) =>
    events().find((event) => Object.entries(wanted).every(([name, value]) => event[name] === value));
  const told = (wanted: Fields) => waitFor(async () => find(wanted) !== undefined, 15_000);

  await t.test(
    "a rotation is told, and so is a dial to the port that was left, but none to the port it is at",
    async () => {
      const [move] = await labRotate("payment");
      assert.ok(move);
      await told({ event: "rotation", instance: "payment", from_port: move.from, to_port: move.to });
      await waitFor(async () => (await connectionsFrom("web", at("payment"), move.from)) === 0, 15_000);
      await waitFor(async () => {
        assert.equal(await connectionsFrom("web", at("payment"), move.from), 0);
        assert.equal(await connectionsFrom("web", at("payment"), move.to), 1);
        return find({ event: "retired-port-dial", client: "web", port: move.from }) !== undefined;
      }, 15_000);
      assert.equal(find({ event: "retired-port-dial", port: move.to }), undefined);
    },
  );

  await t.test("a lying node is told: its votes, its contradictions, its receipts", async () => {
    try {
      await labFault("order-node-2", "lying");
      await waitFor(async () => {
        assert.equal((await order()).status, 201);
        const reasons = ["wrong-digest", "bad-signature", "replay"];
        return (
          reasons.every((reason) => find({ event: "vote-refused", node: "order-node-2", reason })) &&
          find({ event: "equivocation", node: "order-node-2" }) !== undefined &&
          find({ event: "answer-distrusted", node: "order-node-2" }) !== undefined
        );
      }, 30_000);
      await told({ event: "proposal-refused", reason: "unknown-signer" });
    } finally {
      await labFault("order-node-2", "ok");
    }
  });

  await t.test(
    "a certificate that proves nothing, and a registration in another's name, are told",
    async () => {
      const opId = randomUUID();
      const kind = "PROCESS_PAYMENT";
      const payload = { orderId: opId, amountCents: 1 };
      const body = JSON.stringify({ kind, opId, payload, digest: "0".repeat(64), votes: [] });
      const port = (await registeredPorts(plan)).get("payment")!;
      const json = { "content-type": "application/json" };
      const url = `http://${at("payment")}:${port}/payments`;
      assert.equal((await requestFrom("web", url, { method: "POST", headers: json, body })).status, 403);
      await told({ event: "certificate-refused", client: "web", operation: opId });

      const report = { service: "payment", instance: "payment", address: at("payment"), port };
      const register = `http://${at("service-registry")}:8500/register`;
      const answer = await requestFrom("web", register, {
        method: "POST",
        headers: json,
        body: JSON.stringify(report),
      });
      assert.equal(answer.status, 403);
      await told({ event: "registration-refused", client: "web", instance: "payment" });
    },
  );

  await t.test("what the policies drop is told with who it was, to whom and how much", async () => {
    await connectionsFrom("web", at("postgres-db"), 5432);
    await connectionsFrom("web", "203.0.113.10", 8443);
    await datagramFrom("web", "203.0.113.10", 443);
    await connectionsFrom("web", at("api-gateway"), (await registeredPorts(plan)).get("api-gateway")!, 60);
    await told({ policy: "restricted-service", source: "web", destination: "postgres-db", port: 5432 });
    await told({ policy: "egress", source: "web", transport: "tcp", port: 8443 });
    await told({ policy: "egress", source: "web", transport: "udp", port: 443 });
    await told({ policy: "gateway-rate", source: "web", destination: "api-gateway" });
    const node = { address: at("order-node-1"), prefix: 16 };
    const borrow = (verb: string) =>
      tryCommand("ip", ["-n", "email", "address", verb, `${node.address}/${node.prefix}`, "dev", "eth0"]);
    await borrow("add");
    try {
      const route = [
        "-n",
        "email",
        "route",
        "replace",
        at("postgres-db"),
        "src",
        node.address,
        "dev",
        "eth0",
      ];
      await tryCommand("ip", route);
      assert.equal(await connectionsFrom("email", at("postgres-db"), 5432), 0);
    } finally {
      await tryCommand("ip", ["-n", "email", "route", "delete", at("postgres-db")]);
      await borrow("delete");
    }
    await told({ policy: "source-identity", source: "email", source_address: node.address });
    // ICMP has no port to note: counted, and told without a sender
    await tryCommand("ip", ["netns", "exec", "web", "ping", "-c", "2", "-W", "1", at("postgres-db")]);
    await waitFor(async () => {
      return events().some((event) => event.policy === "restricted-service" && event.source === undefined);
    }, 15_000);
  });

  await t.test("a server that falls silent is told, and again when it is back", async () => {
    const health = { event: "health", instance: "payment" };
    try {
      await labFault("payment", "dead");
      await told({ ...health, state: "down" });
    } finally {
      await labFault("payment", "ok");
    }
    await told({ ...health, state: "up" });
  });

  await t.test("every line is what the schema says, and no counter was told twice", async () => {
    for (const line of lines()) assert.equal(flawOf(line), "", line);
    const packets = events()
      .filter((event) => event.policy === "restricted-service" && event.destination === "postgres-db")
      .reduce((sum, event) => sum + Number(event.count), 0);
    assert.ok(packets >= 1 && packets < 40, `${packets} packets`);
    if (process.env.RECORD_EVENTS) writeFileSync(SAMPLES, `${lines().join("\n")}\n`);
  });
}
