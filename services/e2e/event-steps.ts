import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { labFault } from "../commands/fault.js";
import { labRotate } from "../commands/rotate.js";
import { runCommand, tryCommand } from "../host/command.js";
import { registeredPorts } from "../host/health.js";
import { logFile } from "../host/processes.js";
import type { Plan } from "../topology.js";
import { flawOf } from "./event-flaw.js";
import { BRIEF_MS, connectionsFrom, datagramFrom, reaches, requestFrom } from "./inside.js";
import { dropped } from "./policy-steps.js";
import { order, waitFor } from "./shop-steps.js";

/** The samples that the Wazuh rules are tested with; RECORD_EVENTS=1 writes them again, from a real run. */
const SAMPLES = new URL("../../../deploy/wazuh/samples/lab.ndjson", import.meta.url);

type Fields = Readonly<Record<string, string | number>>;

function isAs(event: Fields, wanted: Fields): boolean {
  return Object.entries(wanted).every(([name, value]) => event[name] === value);
}

/** New lines of a plan's log from now on. */
class LogReader {
  readonly #file: string;
  readonly #before: number;

  constructor({ events }: Plan) {
    this.#file = events!.path;
    this.#before = readFileSync(this.#file, "utf8").length;
  }

  lines(): string[] {
    return readFileSync(this.#file, "utf8").slice(this.#before).trimEnd().split("\n").filter(Boolean);
  }

  /** Earlier lines included. */
  all(wanted: Fields): Fields[] {
    const lines = readFileSync(this.#file, "utf8").trimEnd().split("\n").filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Fields).filter((event) => isAs(event, wanted));
  }

  events(): Fields[] {
    return this.lines().map((line) => JSON.parse(line) as Fields);
  }

  found(wanted: Fields): Fields[] {
    return this.events().filter((event) => isAs(event, wanted));
  }

  told(wanted: Fields): Promise<void> {
    return waitFor(async () => this.found(wanted).length > 0);
  }

  /** Repeats the action until its event was reported so often. */
  until(count: number, wanted: Fields, act: () => Promise<unknown>): Promise<void> {
    return waitFor(async () => {
      await act();
      return this.found(wanted).length >= count;
    });
  }
}

/** A line of a service's own log, which is JSON too and no event. */
function serviceLog(): string {
  return readFileSync(logFile("service-registry"), "utf8").split("\n")[0]!;
}

type Step = (t: TestContext, plan: Plan, log: LogReader) => Promise<void>;

/** Each violation gives its event, reported by the service that sees it. */
export async function eventSteps(t: TestContext, plan: Plan): Promise<void> {
  const log = new LogReader(plan);
  const steps: Step[] = [dialStep, lyingStep, forgeryStep, dropStep, borderStep, silenceStep, formStep];
  for (const step of steps) await step(t, plan, log);
}

/** Between bridges, where the host routes. */
export async function routedEventSteps(t: TestContext, plan: Plan): Promise<void> {
  const log = new LogReader(plan);
  await dialStep(t, plan, log);
  await t.test("a refusal between the tiers is told by name as well", async () => {
    await log.until(1, { policy: "restricted-service", source: "web", destination: "postgres-db" }, () =>
      connectionsFrom("web", addressOf(plan, "postgres-db"), 5432),
    );
  });
}

function addressOf(plan: Plan, name: string): string {
  return plan.instances.find((instance) => instance.name === name)!.address;
}

async function dialStep(t: TestContext, plan: Plan, log: LogReader): Promise<void> {
  await t.test(
    "a rotation is told, and so is a dial to the port that was left, but none to the port it is at",
    async () => {
      const [move] = await labRotate("payment");
      assert.ok(move);
      await log.told({ event: "rotation", instance: "payment", from_port: move.from, to_port: move.to });
      await waitFor(async () => (await connectionsFrom("web", addressOf(plan, "payment"), move.from)) === 0);
      await log.until(3, { event: "retired-port-dial", client: "web", port: move.from }, async () => {
        assert.equal(await connectionsFrom("web", addressOf(plan, "payment"), move.from), 0);
        assert.ok(await reaches("web", addressOf(plan, "payment"), move.to));
      });
      assert.deepEqual(log.found({ event: "retired-port-dial", port: move.to }), []);
    },
  );
}

async function lyingStep(t: TestContext, _plan: Plan, log: LogReader): Promise<void> {
  await t.test("a lying node is told: its votes, its contradictions, its receipts", async () => {
    try {
      await labFault("order-node-2", "lying");
      await waitFor(async () => {
        assert.equal((await order()).status, 201);
        const reasons = ["wrong-digest", "bad-signature", "replay"];
        return (
          reasons.every(
            (reason) => log.found({ event: "vote-refused", node: "order-node-2", reason }).length > 0,
          ) &&
          log.found({ event: "equivocation", node: "order-node-2" }).length > 0 &&
          log.found({ event: "answer-distrusted", node: "order-node-2" }).length > 0
        );
      });
      await log.told({ event: "proposal-refused", reason: "unknown-signer" });
    } finally {
      await labFault("order-node-2", "ok");
    }
  });
}

async function forgeryStep(t: TestContext, plan: Plan, log: LogReader): Promise<void> {
  await t.test(
    "a certificate that proves nothing, and a registration in another's name, are told",
    async () => {
      const opId = randomUUID();
      const kind = "PROCESS_PAYMENT";
      const payload = { orderId: opId, amountCents: 1 };
      const body = JSON.stringify({ kind, opId, payload, digest: "0".repeat(64), votes: [] });
      const port = (await registeredPorts(plan)).get("payment")!;
      const json = { "content-type": "application/json" };
      const url = `http://${addressOf(plan, "payment")}:${port}/payments`;
      assert.equal((await requestFrom("web", url, { method: "POST", headers: json, body })).status, 403);
      await log.told({ event: "certificate-refused", client: "web", operation: opId });

      const report = { service: "payment", instance: "payment", address: addressOf(plan, "payment"), port };
      const register = `http://${addressOf(plan, "service-registry")}:8500/register`;
      const answer = await requestFrom("web", register, {
        method: "POST",
        headers: json,
        body: JSON.stringify(report),
      });
      assert.equal(answer.status, 403);
      await log.told({ event: "registration-refused", client: "web", instance: "payment" });
    },
  );
}

async function dropStep(t: TestContext, plan: Plan, log: LogReader): Promise<void> {
  await t.test("what the policies drop is reported with source, destination and count", async () => {
    const restricted = {
      policy: "restricted-service",
      source: "web",
      destination: "postgres-db",
      port: 5432,
    };
    await log.until(3, restricted, () => connectionsFrom("web", addressOf(plan, "postgres-db"), 5432));
    await connectionsFrom("web", "203.0.113.10", 8443);
    await datagramFrom("web", "203.0.113.10", 443, BRIEF_MS);
    await connectionsFrom(
      "web",
      addressOf(plan, "api-gateway"),
      (await registeredPorts(plan)).get("api-gateway")!,
      60,
    );
    await log.told({ policy: "egress", source: "web", transport: "tcp", port: 8443 });
    await log.told({ policy: "egress", source: "web", transport: "udp", port: 443 });
    await log.told({ policy: "gateway-rate", source: "web", destination: "api-gateway" });
    const node = { address: addressOf(plan, "order-node-1"), prefix: 16 };
    const borrow = (verb: string) =>
      tryCommand("ip", ["-n", "email", "address", verb, `${node.address}/${node.prefix}`, "dev", "eth0"]);
    await borrow("add");
    try {
      const route = [
        "-n",
        "email",
        "route",
        "replace",
        addressOf(plan, "postgres-db"),
        "src",
        node.address,
        "dev",
        "eth0",
      ];
      await tryCommand("ip", route);
      assert.equal(await connectionsFrom("email", addressOf(plan, "postgres-db"), 5432), 0);
    } finally {
      await tryCommand("ip", ["-n", "email", "route", "delete", addressOf(plan, "postgres-db")]);
      await borrow("delete");
    }
    await log.told({ policy: "source-identity", source: "email", source_address: node.address });
    // ICMP has no port to note: counted, and reported without a sender
    await tryCommand("ip", [
      "netns",
      "exec",
      "web",
      "ping",
      "-c",
      "2",
      "-W",
      "1",
      addressOf(plan, "postgres-db"),
    ]);
    await waitFor(async () => {
      return log
        .events()
        .some((event) => event.policy === "restricted-service" && event.source === undefined);
    });
  });
}

async function borderStep(t: TestContext, plan: Plan, log: LogReader): Promise<void> {
  await t.test("what crosses the lab's border is told", async () => {
    await log.until(1, { policy: "not-allowed", source: "client", destination: "web" }, () =>
      connectionsFrom("client", addressOf(plan, "web"), 3000),
    );
    const ip = (...args: string[]) => runCommand("ip", args);
    await ip("netns", "add", "nw-elsewhere");
    try {
      await ip(
        "link",
        "add",
        "nw-elsewhere",
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        "nw-elsewhere",
      );
      await ip("address", "add", "192.0.2.1/24", "dev", "nw-elsewhere");
      await ip("link", "set", "nw-elsewhere", "up");
      await ip("-n", "nw-elsewhere", "address", "add", "192.0.2.10/24", "dev", "eth0");
      await ip("-n", "nw-elsewhere", "link", "set", "eth0", "up");
      await log.until(1, { policy: "containment", source: "web", destination: "192.0.2.10" }, () =>
        connectionsFrom("web", "192.0.2.10", 80),
      );
    } finally {
      await ip("netns", "delete", "nw-elsewhere");
    }
  });
}

async function silenceStep(t: TestContext, _plan: Plan, log: LogReader): Promise<void> {
  await t.test("servers that fall silent are told, and again when they are back", async () => {
    const names = ["payment", "email", "web"];
    try {
      await Promise.all(names.map((name) => labFault(name, "dead")));
      for (const instance of names) await log.told({ event: "health", instance, state: "down" });
    } finally {
      for (const name of names) await labFault(name, "ok");
    }
    for (const instance of names) await log.told({ event: "health", instance, state: "up" });
  });
}

async function formStep(t: TestContext, _plan: Plan, log: LogReader): Promise<void> {
  await t.test("every line is what the schema says, and no counter was told twice", async () => {
    for (const line of log.lines()) assert.equal(flawOf(line), "", line);
    const told = (policy: string) => log.all({ policy }).reduce((sum, event) => sum + Number(event.count), 0);
    const packets = told("restricted-service");
    const counted =
      (await dropped("postgres-db from other sources")) + (await dropped("redis-cache from other sources"));
    assert.ok(packets >= 3 && packets <= counted, `${packets} packets told, ${counted} counted`);
    if (process.env.RECORD_EVENTS) writeFileSync(SAMPLES, `${[...log.lines(), serviceLog()].join("\n")}\n`);
  });
}
