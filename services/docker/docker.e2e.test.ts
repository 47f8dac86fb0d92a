import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { benchmarkSchema } from "../../src/analyze/benchmark/benchmark.js";
import { runCommand, tryCommand } from "../command.js";
import { requestFrom } from "../e2e/inside.js";
import { machineNow } from "../e2e/machine.js";
import { isInstalled } from "../requirements.js";
import { baseImages, importImage } from "./base-images.test.fixture.js";
import { Engine, engineTraces, reasonToSkip } from "./engine.test.fixture.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const CLI = fileURLToPath(new URL("../../src/cli.js", import.meta.url));
const COMPOSE_FILE = `${ROOT}services/docker/compose.yml`;
/** What README.md says the images add to their base. */
const LIMIT_MB = { shop: 30, netwatch: 80 };

test("the shop and netwatch on a container engine", { skip: reasonToSkip(), timeout: 400_000 }, async (t) => {
  const before = { ...(await machineNow()), ...engineTraces() };
  const engine = new Engine();
  const variables: Record<string, string> = { COMPOSE_PROJECT_NAME: "shop" };
  const compose = (...words: string[]) => engine.compose(COMPOSE_FILE, variables, ...words);
  try {
    await t.test("an engine of its own, and stand-ins for the images that cannot be pulled", async () => {
      await engine.start();
      for (const [variable, image] of await baseImages()) {
        variables[variable] = `standin-${variable.toLowerCase().replace("_image", "")}`;
        await importImage(engine.client, variables[variable], image);
      }
    });
    await t.test("both images are built, and are small", () => buildImages(engine, variables));
    await t.test("compose takes the file, and all come up healthy", async (step) => {
      await compose("config", "--quiet");
      const begun = performance.now();
      await compose("up", "--detach", "--no-build");
      await untilHealthy(engine);
      step.diagnostic(`up and healthy after ${((performance.now() - begun) / 1000).toFixed(1)} s`);
    });
    await t.test("an order is placed through the gateway, by both replicas' catalogue", () => shop(engine));
    await t.test("no container is root, can write, or read another's key", () => confinement(engine));
    await t.test("netwatch finds the network's bridge and names its containers", () => fromTheHost(engine));
    await t.test("netwatch in a container, with two capabilities, sees the same", () =>
      fromAContainer(engine),
    );
    await t.test("doctor says what Docker's firewall does", () => doctor(engine));
    const noLoad = isInstalled("ab") ? false : "ab (package apache2-utils) is not installed";
    await t.test("the benchmark measures it beside the lab", { skip: noLoad }, () => benchmark(engine));
    await t.test("a gateway that starts again is found again", async () => {
      await engine.docker("restart", "shop_api-gateway_1");
      await untilHealthy(engine);
      assert.equal((await get(engine, "/products")).status, 200);
    });
    await t.test("compose down leaves the engine empty", async () => {
      await compose("down", "--volumes");
      for (const list of [
        ["ps", "-aq"],
        ["volume", "ls", "-q"],
        ["network", "ls", "-q", "--filter", "type=custom"],
      ])
        assert.equal(await engine.docker(...list), "");
    });
  } finally {
    await engine.stop();
  }
  await t.test("afterwards the machine is as it was", async () => {
    assert.deepEqual({ ...(await machineNow()), ...engineTraces() }, before);
  });
});

/** In the engine's network namespace: the lab is brought up there, beside the engine's bridges. */
async function benchmark(engine: Engine): Promise<void> {
  const few = ["--requests", "100", "--concurrency", "5", "--rounds", "2", "--warmup", "0", "-o", "json"];
  const env = [`DOCKER_HOST=unix://${engine.socket}`, process.execPath, CLI, "lab", "bench", ...few];
  const text = await runCommand("nsenter", [`--net=/run/netns/${engine.netns}`, "env", ...env], {
    timeoutMs: 150_000,
  });
  const { modes, comparisons, left_out } = benchmarkSchema.parse(JSON.parse(text));
  assert.deepEqual(left_out, []);
  assert.deepEqual(
    modes.map(({ mode, rounds }) => [mode, ...rounds.map(({ turn }) => turn)]),
    [
      ["lab", 1, 4],
      ["docker", 2, 3],
    ],
  );
  for (const { mode, rounds, wire, wire_problem } of modes) {
    for (const { requests, errors, cpu_seconds_per_request } of rounds) {
      assert.deepEqual([requests, errors], [100, { connect: 0, receive: 0, exception: 0, status: 0 }], mode);
      assert.ok(cpu_seconds_per_request! > 0, mode);
    }
    assert.ok(wire, `${mode}: ${wire_problem}`);
    assert.ok(wire.handshake_p50_seconds! > 0, mode);
    const hops = wire.hops.map(({ client, server }) => `${client} > ${server}`);
    for (const hop of ["client > nginx-lb", "nginx-lb > api-gateway", "api-gateway > product-service"])
      assert.ok(hops.includes(hop), `${mode}: ${hop} is not among ${hops.join(", ")}`);
  }
  assert.deepEqual(new Set(comparisons.map(({ verdict }) => verdict)), new Set(["too-few"]));
  assert.match(
    modes[1]!.facts.join(" "),
    /14 containers .*Limits, which the lab's servers do not have: 13 containers 1 CPU/,
  );
}

async function buildImages(engine: Engine, variables: Readonly<Record<string, string>>): Promise<void> {
  const given = ["NODE_IMAGE", "BUILD_IMAGE"].flatMap((name) => [
    "--build-arg",
    `${name}=${variables[name]}`,
  ]);
  const sizeOf = async (image: string) =>
    Number(await engine.docker("image", "inspect", "-f", "{{.Size}}", image));
  const base = await sizeOf(variables.NODE_IMAGE!);
  for (const [target, tag] of [
    ["shop", "netwatch-shop"],
    ["netwatch", "netwatch"],
  ] as const) {
    await runCommand(
      "env",
      ["DOCKER_BUILDKIT=1", `HOME=${engine.folder}`, ...engine.client, "build", "--quiet", ...given].concat(
        "-f",
        `${ROOT}services/docker/Dockerfile`,
        "--target",
        target,
        "-t",
        tag,
        ROOT,
      ),
      { timeoutMs: 180_000 },
    );
    const added = ((await sizeOf(tag)) - base) / 1e6;
    assert.ok(added < LIMIT_MB[target], `${tag} adds ${added.toFixed(1)} MB to its base`);
  }
}

/** Until every container is, but the one that only prepares. */
async function untilHealthy(engine: Engine): Promise<void> {
  for (let tries = 0; ; tries++) {
    const waiting = (await engine.docker("ps", "-a", "--format", "{{.Names}} {{.Status}}"))
      .split("\n")
      .filter((line) => line !== "" && !/\(healthy\)|prepare_1 Exited \(0\)/.test(line));
    if (waiting.length === 0) return;
    assert.ok(tries < 120, waiting.join("; "));
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function get(engine: Engine, path: string) {
  return requestFrom(engine.netns, `http://127.0.0.1:8080${path}`);
}

async function placeOrder(engine: Engine): Promise<{ id: string; totalCents: number }> {
  const { status, body } = await requestFrom(engine.netns, "http://127.0.0.1:8080/orders", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ customer: "reader@example.org", items: [{ productId: 1, quantity: 2 }] }),
  });
  assert.equal(status, 201, body);
  return JSON.parse(body) as { id: string; totalCents: number };
}

async function shop(engine: Engine): Promise<void> {
  const { id, totalCents } = await placeOrder(engine);
  assert.equal(totalCents, 2580);
  const order = JSON.parse((await get(engine, `/orders/${id}`)).body);
  assert.deepEqual([order.id, order.payment.status], [id, "paid"]);
  const replies = [await get(engine, "/products"), await get(engine, "/products/3")];
  assert.deepEqual(replies.map(({ headers }) => headers["x-instance"]).sort(), [
    "product-service",
    "product-service-2",
  ]);
  assert.match((await get(engine, "/")).body, /<!doctype html>/i);
}

async function confinement(engine: Engine): Promise<void> {
  const inside = (service: string, command: string) =>
    tryCommand(engine.client[0]!, [
      ...engine.client.slice(1),
      "exec",
      `shop_${service}_1`,
      "bash",
      "-c",
      command,
    ]);
  const look = "while read -r name id _; do [ $name = Uid: ] && echo $id; done </proc/1/status; echo >/here";
  for (const service of ["nginx-lb", "api-gateway", "redis-cache", "postgres-db"]) {
    const { stdout, stderr } = await inside(service, look);
    assert.ok(Number(stdout) > 0, `${service} runs as ${stdout}`);
    assert.match(stderr, /Read-only file system/, service);
  }
  const keys = "/run/netwatch-lab/keys";
  assert.equal(
    (await inside("order-node-1", `: <${keys}/order-node-1.pem && : <${keys}/postgres.password`)).code,
    0,
  );
  for (const [service, file] of [
    ["order-node-1", "order-node-2.pem"],
    ["api-gateway", "postgres.password"],
    ["web", "api-gateway.pem"],
  ] as const)
    assert.match(
      (await inside(service, `: <${keys}/${file}`)).stderr,
      /Permission denied/,
      `${service} ${file}`,
    );
  assert.notEqual(
    (await inside("web", "echo >/dev/tcp/postgres-db/5432")).code,
    0,
    "web reaches the database",
  );
}

interface Seen {
  readonly interface: string;
  readonly pairs: ReadonlySet<string>;
  readonly words: string;
}

/** Runs a capture of a few seconds, during which customers come. */
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

const CAPTURE = ["-a", "duration:4", "-o", "json"];

async function bridgeOf(engine: Engine, network: string): Promise<string> {
  return `br-${(await engine.docker("network", "inspect", "-f", "{{.Id}}", network)).slice(0, 12)}`;
}

/** Calls of the backend network by compose's names; the database is on another network and cannot be among them. */
function assertBackend({ pairs }: Seen): void {
  for (const pair of [
    "api-gateway > order-node-1",
    "api-gateway > product-service",
    "api-gateway > product-service-2",
  ])
    assert.ok(pairs.has(pair), `${pair} is not among ${[...pairs].join(", ")}`);
  assert.ok([...pairs].some((pair) => /^order-node-\d > payment$/.test(pair)));
  assert.ok(
    ![...pairs].some((pair) => pair.includes("postgres-db") || /\d+\.\d+\.\d+/.test(pair)),
    [...pairs].join(", "),
  );
}

async function fromTheHost(engine: Engine): Promise<void> {
  const words = ["capture", "--netns", engine.netns, ...CAPTURE];
  const backend = await capture(engine, [process.execPath, CLI, ...words, "--network", "backend"]);
  assert.equal(backend.interface, await bridgeOf(engine, "shop_backend"));
  assertBackend(backend);
  const { pairs } = await capture(engine, [process.execPath, CLI, ...words, "--network", "shop_database"]);
  assert.ok(pairs.has("order-node-1 > postgres-db"), [...pairs].join(", "));
}

async function fromAContainer(engine: Engine): Promise<void> {
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

async function doctor(engine: Engine): Promise<void> {
  const inside = ["--net", `/run/netns/${engine.netns}`].join("=");
  const env = [`DOCKER_HOST=unix://${engine.socket}`, process.execPath, CLI, "doctor"];
  const { stdout } = await tryCommand("nsenter", [inside, "env", ...env]);
  const words = stdout.replaceAll(/\s+/g, " ");
  assert.match(words, /br_netfilter on/);
  assert.match(words, /forward ip filter FORWARD: policy drop \(Docker sets it\)/);
}
