import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { until } from "../../src/until.test.fixture.js";
import { type Reply, requestFrom } from "../e2e/inside.js";
import { runCommand, tryCommand } from "../host/command.js";
import type { Engine } from "./engine.test.fixture.js";

const CLI = fileURLToPath(new URL("../../src/cli.js", import.meta.url));

/** From the engine's host, by the published port. */
export function get(engine: Engine, path: string): Promise<Reply> {
  return requestFrom(engine.netns, `http://127.0.0.1:8080${path}`);
}

/** Retries if the shop answers that it is busy. */
export async function placeOrder(engine: Engine): Promise<{ id: string; totalCents: number }> {
  let reply: Reply | undefined;
  await until(
    async () => {
      reply = await requestFrom(engine.netns, "http://127.0.0.1:8080/orders", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ customer: "reader@example.org", items: [{ productId: 1, quantity: 2 }] }),
      });
      // On a busy machine a node may vote too late, which refuses the payment.
      return reply.status === 201 ? JSON.parse(reply.body).payment.status === "paid" : reply.status !== 503;
    },
    () => `an order: ${reply?.body}`,
  );
  assert.equal(reply!.status, 201, reply!.body);
  return JSON.parse(reply!.body) as { id: string; totalCents: number };
}

interface Seen {
  readonly interface: string;
  readonly pairs: ReadonlySet<string>;
  readonly words: string;
}

/** Runs a capture until some customers have come. */
async function capture(engine: Engine, command: readonly string[]): Promise<Seen> {
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      DOCKER_HOST: `unix://${engine.socket}`,
      XDG_STATE_HOME: engine.folder,
      SUDO_UID: "",
    },
  });
  const ended = once(child, "close");
  const output = { stdout: "", stderr: "" };
  const listening = new Promise<void>((resolve) => {
    child.stdout.on("data", (piece) => (output.stdout += piece));
    child.stderr.on("data", (piece) => {
      output.stderr += piece;
      if (output.stderr.includes("listening on")) resolve();
    });
  });
  await Promise.race([listening, ended]);
  for (let customers = 0; customers < 3; customers++) {
    await placeOrder(engine);
    await get(engine, "/products");
  }
  // packets that passed the bridge are in the kernel's ring; the end of the capture reads them
  child.kill("SIGINT");
  const [code] = await ended;
  assert.equal(code, 0, output.stderr);
  const { tables, totals } = JSON.parse(output.stdout) as {
    totals: { packets: number };
    tables: { pairs: { rows: { source: string; destination: string }[] } };
  };
  assert.ok(totals.packets > 100, `${totals.packets} packets`);
  return {
    interface: /listening on (\S+);/.exec(output.stderr)?.[1] ?? "",
    pairs: new Set(tables.pairs.rows.map(({ source, destination }) => `${source} > ${destination}`)),
    words: output.stderr,
  };
}

const CAPTURE = ["-a", "duration:600", "-o", "json"];

async function bridgeOf(engine: Engine, network: string): Promise<string> {
  return `br-${(await engine.docker("network", "inspect", "-f", "{{.Id}}", network)).slice(0, 12)}`;
}

/** Calls of the backend network by compose's names; the database is on another network and cannot be among them. */
function assertBackend({ pairs }: Seen): void {
  for (const pair of [
    /^api-gateway > product-service$/,
    /^api-gateway > product-service-2$/,
    /^api-gateway > order-node-\d$/,
    /^order-node-\d > payment$/,
  ])
    assert.ok(
      [...pairs].some((seen) => pair.test(seen)),
      `${pair} is not among ${[...pairs].join(", ")}`,
    );
  assert.ok(
    ![...pairs].some((pair) => pair.includes("postgres-db") || /\d+\.\d+\.\d+/.test(pair)),
    [...pairs].join(", "),
  );
}

/** netwatch on the host, pointed to the engine's namespace and socket. */
export async function fromTheHost(engine: Engine): Promise<void> {
  const words = ["capture", "--netns", engine.netns, ...CAPTURE];
  const backend = await capture(engine, [process.execPath, CLI, ...words, "--network", "backend"]);
  assert.equal(backend.interface, await bridgeOf(engine, "shop_backend"));
  assertBackend(backend);
  const { pairs } = await capture(engine, [process.execPath, CLI, ...words, "--network", "shop_database"]);
  assert.ok(pairs.has("order-node-1 > postgres-db"), [...pairs].join(", "));
}

/** netwatch's own image. */
export async function fromAContainer(engine: Engine): Promise<void> {
  const least = ["--network", "host", "--cap-drop", "ALL", "--cap-add", "NET_RAW", "--cap-add", "NET_ADMIN"];
  const still = [
    "--security-opt",
    "no-new-privileges",
    "--read-only",
    "--tmpfs",
    "/tmp",
    "-v",
    `${engine.socket}:/run/docker.sock`,
  ];
  const words = [
    "run",
    "--rm",
    ...least,
    ...still,
    "netwatch",
    "capture",
    ...CAPTURE,
    "--network",
    "backend",
  ];
  const backend = await capture(engine, [...engine.client, ...words]);
  assert.equal(backend.interface, await bridgeOf(engine, "shop_backend"));
  assertBackend(backend);
}

/** A bridge that is not Docker's, in the engine's namespace: cut by its firewall until the cure that doctor names is run. */
export async function doctor(engine: Engine): Promise<void> {
  const { netns } = engine;
  const inside = (...words: string[]) => tryCommand("nsenter", [`--net=/run/netns/${netns}`, ...words]);
  const ends = [`${netns}a`, `${netns}b`];
  const ip = (...words: string[]) => runCommand("ip", words);
  try {
    await ip("-n", netns, "link", "add", "br-app", "up", "type", "bridge");
    for (const [index, end] of ends.entries()) {
      await ip("netns", "add", end);
      const port = `port${index}`;
      await ip("-n", netns, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", end);
      await ip("-n", netns, "link", "set", port, "up", "master", "br-app");
      await ip("-n", end, "address", "add", `10.77.0.${index + 1}/24`, "dev", "eth0");
      await ip("-n", end, "link", "set", "eth0", "up");
    }
    const reaches = async (waitSeconds: number) => {
      const ping = ["ping", "-c1", `-W${waitSeconds}`, "10.77.0.2"];
      return (await tryCommand("ip", ["netns", "exec", ends[0]!, ...ping])).code === 0;
    };
    const look = [
      "env",
      `DOCKER_HOST=unix://${engine.socket}`,
      process.execPath,
      CLI,
      "doctor",
      "-o",
      "json",
    ];
    const lines = JSON.parse((await inside(...look)).stdout) as {
      topic: string;
      why: string;
      cure: string;
    }[];
    const of = (wanted: string) => lines.find(({ topic }) => topic === wanted);
    assert.match(of("br_netfilter")?.why ?? "", /^on: .* FORWARD chain, whose policy is drop/);
    assert.match(of("forward")?.why ?? "", /^ip filter FORWARD: policy drop \(Docker sets it\)/);
    assert.equal(of("forward")?.cure, "sudo iptables -I DOCKER-USER -i br-app -o br-app -j ACCEPT");
    assert.equal(await reaches(1), false, "Docker's firewall lets a foreign bridge be");
    await inside(...of("forward")!.cure.split(" ").slice(1));
    assert.equal(await reaches(60), true, "doctor's cure does not cure");
  } finally {
    for (const end of ends) await tryCommand("ip", ["netns", "delete", end]);
    await tryCommand("ip", ["-n", netns, "link", "delete", "br-app"]);
  }
}
