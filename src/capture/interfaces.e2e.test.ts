import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { answering, containerJson, startEngine } from "./engine.test.fixture.js";
import { describeInterfaces, readHostNetwork } from "./interfaces.js";
import { createNameSources } from "./name-sources.js";
import { listNamespaces } from "./namespace-names.js";
import { withNetns } from "./netns.js";

const CLI = fileURLToPath(new URL("../cli.js", import.meta.url));
const ROOT_ONLY = { skip: process.getuid?.() === 0 ? false : "makes network namespaces: needs root" };

/** All of it stands in namespaces of this test's own: one that plays the host, and three that are connected to its bridge or not. */
const own = (name: string) => `nwt${process.pid}${name}`;
const [HOST, WEB, DB, APART] = [own("host"), own("web"), own("db"), own("apart")];

const HOSTILE = [
  "$(touch$IFS$9x)",
  ";touch$IFS$9y",
  "-wpwn",
  "\x1b[31mred",
  "=1+1",
  "__proto__",
  '"}x',
  "a`id`",
  "constructor",
];

const ip = (...words: string[]) =>
  execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"], timeout: 5000 });
const nowUs = () => Date.now() * 1000;

/** What netwatch would see if it ran in the namespace that plays the host; `only` the test's own namespaces. */
const look = (previous: ReturnType<typeof readHostNetwork> | null = null) =>
  withNetns(HOST, () => {
    const namespaces = listNamespaces();
    const others = namespaces.others.filter(({ name }) => name.startsWith(own("")));
    return readHostNetwork({ ...namespaces, others }, previous);
  });

function removeAll(): void {
  for (const name of [WEB, DB, APART, HOST])
    try {
      ip("netns", "delete", name);
    } catch {
      // never made
    }
}

before(() => {
  if (ROOT_ONLY.skip) return;
  try {
    for (const name of [HOST, WEB, DB, APART]) ip("netns", "add", name);
    ip("-n", HOST, "link", "add", "br-t", "type", "bridge");
    for (const [name, port, address] of [
      [WEB, "v-web", "10.201.0.10/24"],
      [DB, "v-db", "10.201.0.20/24"],
    ] as const) {
      ip("-n", HOST, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name);
      ip("-n", HOST, "link", "set", "dev", port, "master", "br-t", "up");
      ip("-n", name, "address", "add", address, "dev", "eth0");
      ip("-n", name, "link", "set", "dev", "eth0", "up");
    }
    ip("-n", HOST, "address", "add", "10.201.0.1/24", "dev", "br-t");
    ip("-n", HOST, "link", "set", "dev", "br-t", "up");
    ip("-n", APART, "link", "add", "alone0", "type", "bridge");
    ip("-n", APART, "address", "add", "10.201.9.9/32", "dev", "alone0");
  } catch (error) {
    removeAll();
    throw error;
  }
});

after(() => {
  if (!ROOT_ONLY.skip) removeAll();
});

test(
  "each veth's owner, through the number of its namespace; one apart is read from inside",
  ROOT_ONLY,
  () => {
    const network = look();
    const owners = describeInterfaces(network).map(({ link, owner, capturePoint }) => [
      link.name,
      owner && `${owner.namespace.name}/${owner.link.name}`,
      capturePoint,
    ]);
    assert.deepEqual(owners, [
      ["br-t", null, "br-t"],
      ["v-db", `${DB}/eth0`, "br-t"],
      ["v-web", `${WEB}/eth0`, "br-t"],
      ["lo", null, "lo"],
    ]);
    const apart = network.others.find(({ namespace }) => namespace.name === APART);
    assert.equal(apart?.number, null);
    assert.ok(apart?.addresses.some(({ text }) => text === "10.201.9.9"));
    assert.deepEqual(network.unreadable, []);
  },
);

test("a namespace no longer listed is read as long as its link is there, and not after", ROOT_ONLY, () => {
  const first = look();
  const later = withNetns(HOST, () => readHostNetwork({ ...listNamespaces(), others: [] }, first));
  const texts = later.others.flatMap(({ addresses }) => addresses.map(({ text }) => text));
  assert.ok(texts.includes("10.201.0.10") && texts.includes("10.201.0.20"), texts.join(" "));
  assert.ok(!texts.includes("10.201.9.9"), "no link leads there");
  const extra = own("gone");
  ip("netns", "add", extra);
  try {
    ip("-n", HOST, "link", "add", "v-gone", "type", "veth", "peer", "name", "eth0", "netns", extra);
    const seen = look();
    assert.ok(seen.others.some(({ namespace }) => namespace.name === extra));
    ip("-n", HOST, "link", "delete", "dev", "v-gone");
    ip("-n", HOST, "link", "add", "v-gone", "type", "veth", "peer", "name", "eth0", "netns", APART);
    const after = withNetns(HOST, () => readHostNetwork({ ...listNamespaces(), others: [] }, seen));
    assert.ok(
      !after.others.some(({ namespace }) => namespace.name === extra),
      "a new link is not the old one",
    );
  } finally {
    ip("-n", HOST, "link", "delete", "dev", "v-gone");
    ip("netns", "delete", extra);
  }
});

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
    await sleep(300);
    await sources.refresh(nowUs());
    const held = nowUs();
    await sleep(300);
    ip("-n", WEB, "address", "delete", `${address}/24`, "dev", "eth0");
    const beforeMove = nowUs();
    ip("-n", DB, "address", "add", `${address}/24`, "dev", "eth0");
    const afterMove = nowUs();
    await sleep(500);
    await sources.refresh(nowUs());
    const names = sources.current();
    const slackUs = 40_000; // the kernel's stamps are hundredths of a second, its ticks a little coarser
    assert.equal(names.find(address, null, held), WEB);
    assert.equal(names.find(address, null, beforeMove - slackUs), WEB);
    assert.equal(names.find(address, null, afterMove + slackUs), DB);
    assert.equal(names.find("10.201.0.1", null, held), HOST);
    assert.equal(names.find("10.201.9.9", null, nowUs()), APART);
    ip("-n", DB, "address", "delete", `${address}/24`, "dev", "eth0");
    await sources.refresh(nowUs());
    assert.equal(sources.current().find(address, null, nowUs()), null, "nobody's any more");
    assert.equal(sources.current().find(address, null, afterMove + slackUs), DB);
    assert.deepEqual(sources.failures, []);
  },
);

test("an engine that hangs does not hold up the namespaces' names", ROOT_ONLY, async () => {
  const hanging = await startEngine(() => {});
  const good = await startEngine(
    answering({
      "/containers/json": [containerJson("ab", "shop-cart-1", { n: { IPAddress: "10.201.0.20" } })],
      "/networks": [],
    }),
  );
  try {
    const said: string[] = [];
    const sources = createNameSources({
      engineSockets: [hanging.socket, good.socket],
      say: (line) => said.push(line),
      readers: { network: look },
    });
    const begun = performance.now();
    const refreshed = sources.refresh(nowUs());
    await sleep(100);
    assert.equal(sources.current().find("10.201.0.20", null, nowUs()), DB, "at once");
    await refreshed;
    assert.ok(performance.now() - begun < 3000);
    assert.equal(
      sources.current().find("10.201.0.20", null, nowUs()),
      "shop-cart-1",
      "when the engine has answered",
    );
    assert.deepEqual(said, [`${hanging.socket}: no answer within 2 s; names from it may be missing`]);
  } finally {
    await hanging.close();
    await good.close();
  }
});

/** Runs netwatch in a namespace, in a folder of its own, where nothing may appear. */
async function netwatch(netns: string, ...words: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-e2e-"));
  try {
    const output = await new Promise<string>((resolve, reject) => {
      const command = ["netns", "exec", netns, process.execPath, CLI, ...words];
      const env = { ...process.env, DOCKER_HOST: `unix://${folder}/none.sock`, XDG_STATE_HOME: folder };
      execFile("ip", command, { cwd: folder, env, timeout: 15_000 }, (error, stdout, stderr) =>
        error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout + stderr),
      );
    });
    assert.deepEqual(readdirSync(folder), [], "nothing was made in the folder");
    return output;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test("hostile names are listed, diagnosed, and do nothing", ROOT_ONLY, async () => {
  for (const name of HOSTILE) ip("-n", APART, "link", "add", "name", name, "type", "bridge");
  try {
    const rows = JSON.parse(await netwatch(APART, "interfaces", "-o", "json")) as { interface: string }[];
    const listed = new Set(rows.map((row) => row.interface));
    for (const name of HOSTILE) assert.ok(listed.has(name), name);
    const text = await netwatch(APART, "interfaces");
    assert.match(text, /\\x1b\[31mred/);
    for (const name of HOSTILE) {
      const diagnosed = await netwatch(APART, "doctor", `--interface=${name}`);
      assert.match(diagnosed, /is down/, name);
      assert.doesNotMatch(diagnosed, /\x1b/);
    }
  } finally {
    for (const name of HOSTILE) ip("-n", APART, "link", "delete", "dev", name);
  }
});

test("doctor's commands for bridges and conntrack cure what they say", ROOT_ONLY, async () => {
  interface Line {
    topic: string;
    state: string;
    cure: string | null;
  }
  const lineOf = async (topic: string) => {
    const lines = JSON.parse(await netwatch(HOST, "doctor", "-o", "json")) as Line[];
    const line = lines.find((one) => one.topic === topic);
    assert.ok(line, topic);
    return line;
  };
  /** Runs a cure, as a person would, in the namespace. */
  const cure = ({ cure: command }: Line) => {
    assert.ok(command);
    const bare = command.replaceAll("sudo ", "");
    execFileSync("ip", ["netns", "exec", HOST, "bash", "--norc", "-c", bare], {
      timeout: 5000,
      stdio: "pipe",
    });
  };
  const accounting = await lineOf("accounting");
  if (accounting.state === "limited") {
    cure(accounting);
    assert.equal((await lineOf("accounting")).state, "ok");
  }
  const empty = await lineOf("conntrack");
  assert.equal(empty.state, "limited");
  cure(empty);
  execFileSync("ip", ["netns", "exec", WEB, "ping", "-c", "1", "-W", "2", "10.201.0.1"], { stdio: "pipe" });
  assert.equal((await lineOf("conntrack")).state, "ok");
  ip("-n", HOST, "link", "set", "dev", "br-t", "down");
  const down = await lineOf("interface");
  assert.equal(down.state, "missing");
  cure(down);
  assert.equal((await lineOf("interface")).state, "ok");
});

test("a process in a namespace without a name is found, and its address with it", ROOT_ONLY, async () => {
  const child = spawn("unshare", ["--net", "sleep", "20"], { stdio: "ignore" });
  try {
    const ownId = listNamespaces().own.id;
    for (let i = 0; ; i++) {
      const found = listNamespaces().others.find(({ name }) => name === `sleep[${child.pid}]`);
      if (found) {
        assert.equal(found.kind, "process");
        assert.notEqual(found.id, ownId);
        break;
      }
      assert.ok(i < 50, "not found");
      await sleep(50);
    }
  } finally {
    child.kill();
  }
});
