import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runCommand, tryCommand } from "../host/command.js";
import { isInstalled } from "../host/requirements.js";
import { baseImages, importImage } from "./base-images.test.fixture.js";
import { benchmark } from "./bench-step.test.fixture.js";
import { Engine, reasonToSkip } from "./engine.test.fixture.js";
import { doctor, fromAContainer, fromTheHost, get, placeOrder } from "./watch-steps.test.fixture.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const COMPOSE_FILE = `${ROOT}services/docker/compose.yml`;
/** Size that the images add to their base, from each README.md. */
const LIMIT_MB = { "netwatch-shop": 30, netwatch: 65 };

test("the shop and netwatch on a container engine", {
  skip: reasonToSkip(),
  timeout: 3_600_000,
}, async (t) => {
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
    await t.test("both images are built, and are small", () => buildImages(engine, variables, compose));
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
  await t.test("afterwards the machine is as it was", () => {
    assert.deepEqual(engine.traces(), []);
  });
});

/** `shop` as compose.yml says, `netwatch` as deploy/docker/README.md says. */
async function buildImages(
  engine: Engine,
  variables: Readonly<Record<string, string>>,
  compose: (...words: string[]) => Promise<string>,
): Promise<void> {
  const sizeOf = async (image: string) =>
    Number(await engine.docker("image", "inspect", "-f", "{{.Size}}", image));
  const base = await sizeOf(variables.NODE_IMAGE!);
  await compose("build", "--quiet");
  const given = ["NODE_IMAGE", "BUILD_IMAGE"].map((name) => `--build-arg=${name}=${variables[name]}`);
  const words = [
    "build",
    "--quiet",
    ...given,
    "-f",
    `${ROOT}deploy/docker/Dockerfile`,
    "-t",
    "netwatch",
    ROOT,
  ];
  await runCommand("env", ["DOCKER_BUILDKIT=1", `HOME=${engine.folder}`, ...engine.client, ...words], {
    timeoutMs: 1_200_000,
  });
  for (const [image, limit] of Object.entries(LIMIT_MB)) {
    const added = ((await sizeOf(image)) - base) / 1e6;
    assert.ok(added < limit, `${image} adds ${added.toFixed(1)} MB to its base`);
  }
}

/** Waits until every container is healthy, except the one that only prepares. */
async function untilHealthy(engine: Engine): Promise<void> {
  for (let tries = 0; ; tries++) {
    const waiting = (await engine.docker("ps", "-a", "--format", "{{.Names}} {{.Status}}"))
      .split("\n")
      .filter((line) => line !== "" && !/\(healthy\)|prepare_1 Exited \(0\)/.test(line));
    if (waiting.length === 0) return;
    assert.ok(tries < 1200, waiting.join("; "));
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
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
  const database = await engine.docker(
    "inspect",
    "-f",
    "{{.NetworkSettings.Networks.shop_database.IPAddress}}",
    "shop_postgres-db_1",
  );
  const dial = async (service: string, waitMs: number) =>
    (await inside(service, `node -e '${DIAL}' ${database.trim()} 5432 ${waitMs}`)).stdout.trim();
  assert.equal(await dial("order-node-1", 120_000), "open", "to the database");
  assert.equal(await dial("web", 2000), "", "to the database");
}

/** Prints `open` if the connection succeeds within so many milliseconds. Contains no shell quotes. */
const DIAL = `
const [host, port, waitMs] = process.argv.slice(1);
const end = () => process.exit();
require("net").connect({ host, port }, () => { console.log("open"); end(); }).on("error", end);
setTimeout(end, waitMs);
`;
