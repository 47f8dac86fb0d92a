import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { reasonToSkip, withTestNetwork } from "../capture/kernel/netns.test.fixture.js";
import { ExitCode } from "../exit.js";

const CLI = fileURLToPath(new URL("../cli.js", import.meta.url));
const skip = reasonToSkip("conntrack", "sysctl", "setpriv");

function netwatch(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, "connections", ...args], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  return { status, stdout, stderr };
}

/** The Snapshots that a watch prints, one after the other. */
async function* linesOf(child: ChildProcess): AsyncGenerator<Record<string, unknown>> {
  for await (const line of createInterface({ input: child.stdout! })) yield JSON.parse(line);
}

test(
  "a namespace: its entries, why it may be empty, and one that is not there",
  { skip, timeout: 600_000 },
  () =>
    withTestNetwork(async (network) => {
      const netns = network.add();
      const empty = netwatch("--netns", netns);
      assert.equal(empty.status, ExitCode.ok, empty.stderr);
      assert.match(empty.stdout, /0 tracked connections/);
      assert.match(
        empty.stdout.replaceAll(/\s+/g, " "),
        /no connection is tracked: the kernel tracks only where/,
      );
      network.track(netns, 24);
      const { status, stdout } = netwatch("--netns", netns, "-o", "json");
      assert.equal(status, ExitCode.ok);
      const { tables, findings, complete } = JSON.parse(stdout);
      assert.deepEqual(
        [tables.connections.rows.length, tables.services.total.connections, complete],
        [24, 24, true],
      );
      assert.deepEqual([tables.limits.rows[0].entries, tables.limits.rows[0].accounting], [24, "off"]);
      assert.ok(findings.some(({ code }: { code: string }) => code === "tracking-accounting-off"));
      const all = JSON.parse(netwatch("--all-netns", "-o", "json").stdout);
      const row = all.tables.limits.rows.find((one: { netns: string }) => one.netns === netns);
      assert.equal(row.entries, 24);
      const missing = netwatch("--netns", `${netns}-not`);
      assert.equal(missing.status, ExitCode.noInterface);
      assert.match(missing.stderr, /no network namespace/);
    }),
);

test(
  "watching: one Snapshot an interval, without root, accounting set back at the end",
  { skip, timeout: 600_000 },
  () =>
    withTestNetwork(async (network) => {
      const netns = network.add();
      const accounting = () => network.run(netns, "sysctl", ["-n", "net.netfilter.nf_conntrack_acct"]).trim();
      const args = [
        CLI,
        "connections",
        "--watch",
        "--enable-acct",
        "--netns",
        netns,
        "-o",
        "ndjson",
        "--table",
        "limits",
      ];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
      try {
        const lines = linesOf(child);
        assert.equal((await lines.next()).value?.accounting, "on");
        assert.equal(accounting(), "1");
        const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
        assert.match(status, /^CapEff:\s+0000000000000000$/m);
        assert.match(status, /^NoNewPrivs:\s+1$/m);
        assert.doesNotMatch(status, /^Uid:\s+0\s/m);
        network.track(netns, 5);
        // One that was printed meanwhile may lie before.
        while ((await lines.next()).value?.entries !== 5) assert.equal(child.exitCode, null);
        child.kill("SIGINT");
        assert.deepEqual(await once(child, "exit"), [0, null]);
        assert.equal(accounting(), "0");
      } finally {
        child.kill("SIGKILL");
      }
    }),
);

test("without privilege: the capability and the command that works", { skip, timeout: 600_000 }, () =>
  withTestNetwork(async (network) => {
    const netns = network.add();
    // Still the owner of its files, which may be unreadable for others.
    const unprivileged = ["--bounding-set", "-all", process.execPath, CLI, "connections"];
    for (const more of [[], ["--netns", netns]]) {
      const { status, stderr } = spawnSync("setpriv", [...unprivileged, ...more], { encoding: "utf8" });
      assert.equal(status, ExitCode.permission, stderr);
      assert.match(stderr, /CAP_NET_ADMIN.*sudo netwatch connections/);
    }
  }),
);
