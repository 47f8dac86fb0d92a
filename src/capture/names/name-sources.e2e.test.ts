import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PATIENCE_MS, until } from "../../until.test.fixture.js";
import { answering, containerJson, startEngine } from "../live/engine.test.fixture.js";
import { readContainerNames } from "./docker.js";
import { ServiceError } from "./json-client.js";
import { createNameSources } from "./name-sources.js";
import {
  APART,
  DB,
  HOST,
  ip,
  look,
  nowUs,
  own,
  ROOT_ONLY,
  useNamespaces,
  WEB,
} from "./namespaces.test.fixture.js";

useNamespaces();

/** Tells moments apart: the kernel's stamps are hundredths of a second, its ticks a little coarser. */
const APART_MS = 100;

test(
  "an address moved from one namespace to another while names refresh is told by when it was set",
  ROOT_ONLY,
  async () => {
    const sources = createNameSources({
      engineSockets: [],
      say: assert.fail,
      intervalUs: 1,
      readers: { network: look },
    });
    const address = "10.201.0.77";
    ip("-n", WEB, "address", "add", `${address}/24`, "dev", "eth0");
    await sleep(APART_MS);
    await sources.refresh(nowUs());
    const held = nowUs();
    await sleep(APART_MS);
    ip("-n", WEB, "address", "delete", `${address}/24`, "dev", "eth0");
    const beforeMove = nowUs();
    ip("-n", DB, "address", "add", `${address}/24`, "dev", "eth0");
    const afterMove = nowUs();
    await sleep(APART_MS);
    await sources.refresh(nowUs());
    const names = sources.current();
    const slackUs = 40_000;
    assert.equal(names.find(address, null, held), WEB);
    assert.equal(names.find(address, null, beforeMove - slackUs), WEB);
    assert.equal(names.find(address, null, afterMove + slackUs), DB);
    assert.equal(names.find("10.201.0.1", null, held), HOST);
    assert.equal(names.find("10.201.9.9", null, nowUs()), APART);
    ip("-n", DB, "address", "delete", `${address}/24`, "dev", "eth0");
    await sources.refresh(nowUs());
    assert.equal(sources.current().find(address, null, nowUs()), null, "no owner any more");
    assert.equal(sources.current().find(address, null, afterMove + slackUs), DB);
    assert.deepEqual(sources.failures, []);
  },
);

test("an engine that hangs does not hold up the namespaces' names", ROOT_ONLY, async () => {
  let giveUp: () => void = assert.fail;
  const hanging = new Promise<never>((_, reject) => {
    giveUp = () => reject(new ServiceError("no answer within 2 s", "ETIMEDOUT"));
  });
  const good = await startEngine(
    answering({
      "/containers/json": [containerJson("ab", "shop-cart-1", { n: { IPAddress: "10.201.0.20" } })],
      "/networks": [],
    }),
  );
  try {
    const said: string[] = [];
    const sources = createNameSources({
      engineSockets: ["hanging", good.socket],
      say: (line) => said.push(line),
      readers: {
        network: look,
        engine: (socket) => (socket === "hanging" ? hanging : readContainerNames(socket)),
      },
    });
    const refreshed = sources.refresh(nowUs());
    await until(() => sources.current().find("10.201.0.20", null, nowUs()) === DB); // while the engines are asked
    giveUp();
    await refreshed;
    assert.equal(
      sources.current().find("10.201.0.20", null, nowUs()),
      "shop-cart-1",
      "when the engine has answered",
    );
    assert.deepEqual(said, ["hanging: no answer within 2 s; names from it may be missing"]);
  } finally {
    await good.close();
  }
});

/** Run in the namespace that plays the host, among the test's own: looks, gives root up, waits for a line, looks again, says who has the address. */
const DROPPED = (keep: string) => `
  import { once } from "node:events";
  import { createNameSources } from ${JSON.stringify(new URL("./name-sources.js", import.meta.url))};
  import { listNamespaces } from ${JSON.stringify(new URL("./namespace-names.js", import.meta.url))};
  import { readHostNetwork } from ${JSON.stringify(new URL("../live/interfaces.js", import.meta.url))};
  import { dropPrivileges } from ${JSON.stringify(new URL("../kernel/privilege.js", import.meta.url))};
  const nowUs = () => Date.now() * 1000;
  const network = (previous) => {
    const namespaces = listNamespaces();
    const others = namespaces.others.filter(({ name }) => name.startsWith(${JSON.stringify(own(""))}));
    return readHostNetwork({ ...namespaces, others }, previous);
  };
  const say = (line) => console.log(line);
  const sources = createNameSources({ engineSockets: [], say, intervalUs: 1, readers: { network } });
  const look = async () => {
    await sources.refresh(nowUs());
    const names = sources.current();
    const found = ["10.201.0.78", "10.201.0.10"].map((address) => names.find(address, null, nowUs()));
    console.log(JSON.stringify([process.getuid(), ...found]));
  };
  await look();
  dropPrivileges({ uid: 65534, gid: 65534, name: "nobody", home: null }, ${keep});
  await once(process.stdin, "data");
  await look();
  process.exit(0);
`;

async function lookAfterDrop(keep: string): Promise<unknown[]> {
  const code = ["--input-type=module", "-e", DROPPED(keep)];
  const child = spawn("ip", ["netns", "exec", HOST, process.execPath, ...code], {
    stdio: ["pipe", "pipe", "inherit"],
    timeout: PATIENCE_MS,
  });
  const said: string[] = [];
  const ended = new Promise((resolve) => child.on("close", resolve));
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.push(...text.trim().split("\n"));
    if (said.length > 1) return;
    ip("-n", WEB, "address", "add", "10.201.0.78/24", "dev", "eth0");
    child.stdin.write("go\n");
  });
  await ended;
  ip("-n", WEB, "address", "delete", "10.201.0.78/24", "dev", "eth0");
  return said.map((line) => JSON.parse(line) as unknown);
}

test("names are refreshed after root is given up, by CAP_NET_ADMIN alone", ROOT_ONLY, async () => {
  assert.deepEqual(await lookAfterDrop("[12]"), [
    [0, null, WEB],
    [65_534, WEB, WEB],
  ]);
});

test("without that too, what is known stays known", ROOT_ONLY, async () => {
  assert.deepEqual(await lookAfterDrop("[]"), [
    [0, null, WEB],
    [65_534, null, WEB],
  ]);
});
