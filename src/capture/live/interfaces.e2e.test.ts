import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS, until } from "../../until.test.fixture.js";
import { withNetns } from "../kernel/netns.js";
import { listNamespaces } from "../names/namespace-names.js";
import {
  APART,
  DB,
  HOST,
  ip,
  look,
  own,
  ROOT_ONLY,
  useNamespaces,
  WEB,
} from "../names/namespaces.test.fixture.js";
import { describeInterfaces, readHostNetwork } from "./interfaces.js";

const CLI = fileURLToPath(new URL("../../cli.js", import.meta.url));

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

useNamespaces();

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

test("a namespace that can no longer be read is as it was", ROOT_ONLY, () => {
  const first = look();
  const apart = first.others.find(({ namespace }) => namespace.name === APART)!.namespace;
  const locked = { ...apart, path: "/proc/self/status" };
  const later = withNetns(HOST, () => readHostNetwork({ ...listNamespaces(), others: [locked] }, first));
  assert.deepEqual(
    later.unreadable.map(({ namespace }) => namespace.name),
    [APART],
  );
  const kept = later.others.find(({ namespace }) => namespace.name === APART);
  assert.ok(kept?.addresses.some(({ text }) => text === "10.201.9.9"));
});

/** Runs netwatch in a namespace, in a folder of its own, where nothing may appear. */
async function netwatch(netns: string, ...words: string[]): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-e2e-"));
  try {
    const output = await new Promise<string>((resolve, reject) => {
      const command = ["netns", "exec", netns, process.execPath, CLI, ...words];
      const env = { ...process.env, DOCKER_HOST: `unix://${folder}/none.sock`, XDG_STATE_HOME: folder };
      execFile("ip", command, { cwd: folder, env, timeout: PATIENCE_MS }, (error, stdout, stderr) =>
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
      timeout: PATIENCE_MS,
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
  const child = spawn("unshare", ["--net", "sleep", "600"], { stdio: "ignore" });
  try {
    const ownId = listNamespaces().own.id;
    const find = () => listNamespaces().others.find(({ name }) => name === `sleep[${child.pid}]`);
    await until(() => find() !== undefined);
    assert.equal(find()!.kind, "process");
    assert.notEqual(find()!.id, ownId);
  } finally {
    child.kill();
  }
});
