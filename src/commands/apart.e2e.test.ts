/** No thread of a live command has capabilities, whoever started it; the opener beside it has some, and ends with it. */
import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Snapshot } from "../analyze/snapshot/snapshot.js";
import { landlockVersion } from "../capture/kernel/landlock.js";
import { reasonToSkip, TestNetwork } from "../capture/kernel/netns.test.fixture.js";
import { capIsMissing } from "../capture/live/live.test.fixture.js";
import { childrenOf, openerOf, rightsOf } from "../capture/opener/opener.test.fixture.js";
import { until } from "../until.test.fixture.js";
import { type Running, Workplace } from "./capture/capture.test.fixture.js";
import { PtyProgram } from "./pty.test.fixture.js";

const NOBODY = 65_534;
const SOMEONE = 12_345;
const NET_ADMIN = (1 << 12).toString(16);
const bare = (uid: number) => [`${uid} 0 0 0 0 1`];
/** As the user `nobody`, CAP_NET_ADMIN in one thread only. */
const OF_ROOT = [`${NOBODY} 0 0 0 0 1`, `${NOBODY} 0 ${NET_ADMIN} ${NET_ADMIN} 0 1`];
/** Capabilities from a service manager are in all threads or in none. */
const OF_SERVICE = [`${NOBODY} ${NET_ADMIN} ${NET_ADMIN} ${NET_ADMIN} ${NET_ADMIN} 1`];

const AS_SERVICE = [
  ...["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"],
  ...["--inh-caps=+net_raw,+net_admin", "--ambient-caps=+net_raw,+net_admin"],
];

interface Start {
  readonly who: string;
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly through: readonly string[];
  /** Becomes this user. */
  readonly uid: number;
  readonly opener: readonly string[];
}

const STARTS: readonly Start[] = [
  { who: "root", words: [], env: {}, through: [], uid: NOBODY, opener: OF_ROOT },
  {
    who: "who called sudo",
    words: [],
    env: { SUDO_UID: String(SOMEONE), SUDO_GID: String(SOMEONE) },
    through: [],
    uid: SOMEONE,
    opener: OF_ROOT,
  },
  { who: "root with -Z root", words: ["-Z", "root"], env: {}, through: [], uid: 0, opener: OF_ROOT },
  { who: "a service", words: [], env: {}, through: AS_SERVICE, uid: NOBODY, opener: OF_SERVICE },
];

/** `polls`: connection tracking or names are read while it runs. */
const COMMANDS: readonly { readonly words: readonly string[]; readonly polls: boolean }[] = [
  { words: ["capture", "-i", "lo"], polls: true },
  { words: ["capture", "-i", "lo", "-n", "--no-conntrack"], polls: false },
  { words: ["serve", "-i", "lo", "--listen", "127.0.0.1:0"], polls: true },
  { words: ["report", "x.pdf", "-i", "lo"], polls: true },
  { words: ["connections", "--watch"], polls: true },
];

describe("the rights of every thread", {
  skip: reasonToSkip("setpriv", "unshare", "mount", "python3"),
}, () => {
  const network = new TestNetwork();
  const work = new Workplace();
  let netns: string;
  /** Any user may write there. */
  let open: string;

  before(() => {
    netns = network.add();
    open = work.path("open");
    mkdirSync(open);
    chmodSync(open, 0o777);
    chmodSync(work.folder, 0o755);
  });
  after(async () => {
    work.close();
    await network.close();
  });

  async function start(
    words: readonly string[],
    { env = {}, through = [] }: Partial<Start> = {},
  ): Promise<Running> {
    const options = { cwd: open, env: { ...process.env, XDG_STATE_HOME: open, ...env } };
    const run =
      through.length > 0
        ? work.startOutside(words, options, netns, through)
        : work.start(words, options, netns);
    let isShown = false;
    run.child.stdout!.once("data", () => {
      isShown = true;
    });
    let hasEnded = false;
    void run.ended.then(() => {
      hasEnded = true;
    });
    const said = run.said("listening on").then(() => {
      isShown ||= words[0] !== "connections";
    });
    await until(() => isShown || hasEnded, "it listens");
    if (hasEnded) assert.fail((await run.ended).stderr);
    void said;
    return run;
  }

  for (const { words, polls } of COMMANDS)
    for (const from of STARTS) {
      if (words[0] === "connections" && from.words.length > 0) continue; // has no -Z
      test(`${words.join(" ")}, by ${from.who}`, async () => {
        const own = words.map((word) => (word === "x.pdf" ? `${from.uid}-${from.words.length}.pdf` : word));
        const run = await start([...own, ...from.words], from);
        // An exporter gives root up a moment after it says that it listens.
        await until(() => rightsOf(run.pid).join() === bare(from.uid).join(), "every thread is bare");
        // A process in `execve` has no arguments for a moment.
        if (polls) await until(() => openerOf(run.pid) !== null, "it has an opener");
        const opener = openerOf(run.pid);
        assert.equal(childrenOf(run.pid).length, polls ? 1 : 0);
        if (opener !== null)
          await until(
            () => rightsOf(opener).join() === [...from.opener].sort().join(),
            "it has given up the rest",
          );
        const { code, stderr } = await run.stop();
        assert.equal(code, 0, stderr);
        if (opener !== null) await until(() => !existsSync(`/proc/${opener}`), "the opener ends with it");
      });
    }

  for (const from of [STARTS[0]!, STARTS[2]!])
    test(`tui, by ${from.who}`, async (t) => {
      const command = ["ip", "netns", "exec", netns, "env", `XDG_STATE_HOME=${open}`, "SUDO_UID="];
      const program = new PtyProgram(
        ["tui", "-i", "lo", ...from.words],
        { columns: 100, rows: 24 },
        [...command, process.execPath, new URL("../cli.js", import.meta.url).pathname],
        open,
      );
      t.after(() => program.kill());
      const find = () =>
        childrenOf(process.pid)
          .flatMap(childrenOf)
          .find((pid) => openerOf(pid) !== null);
      await until(() => find() !== undefined, "it runs");
      const pid = find()!;
      await until(() => rightsOf(pid).join() === bare(from.uid).join(), "every thread is bare");
      const opener = openerOf(pid)!;
      await until(() => rightsOf(opener).join() === [...OF_ROOT].sort().join(), "it has given up the rest");
      await program.until(/q/);
      program.type("q");
      assert.equal(await program.ended, 0);
      await until(() => !existsSync(`/proc/${opener}`), "the opener ends with it");
    });

  test("engine cap opens its socket itself; then every thread is bare too", async (t) => {
    if (capIsMissing()) return t.skip("needs the optional package cap");
    const run = await start(["capture", "-i", "lo", "--engine", "cap"]);
    assert.deepEqual(rightsOf(run.pid), bare(NOBODY));
    assert.equal((await run.stop()).code, 0);
  });

  test("killed outright it leaves no opener behind", async () => {
    const run = await start(["capture", "-i", "lo"]);
    const opener = openerOf(run.pid)!;
    await run.stop("SIGKILL");
    await until(() => !existsSync(`/proc/${opener}`), "the opener ends");
  });

  test("an opener that is killed: said as the failure of what it was needed for, the capture goes on", async () => {
    const run = await start(["capture", "-i", "lo", "-o", "ndjson", "--interval", "0.2"]);
    process.kill(openerOf(run.pid)!, "SIGKILL");
    await run.said(
      "connection tracking could not be read: the process that keeps the capabilities has ended",
    );
    await run.said("namespaces: the process that keeps the capabilities has ended");
    network.run(netns, "ping", ["-q", "-c", "3", "-i", "0.05", "127.0.0.1"]);
    const { code, stdout, stderr } = await run.stop();
    assert.equal(code, 0, stderr);
    const last: Snapshot = JSON.parse(stdout.toString().trim().split("\n").at(-1)!);
    assert.ok(last.totals.packets >= 6);
    assert.ok(last.conntrack!.namespaces[0]!.problem);
  });

  test("words that are no text, and descriptors that it was given, come through", async () => {
    // A shell, since Node passes only text.
    const name = "printf 'caf\\351.pcapng'";
    const script = `exec "$@" -w "$(${name})" --events /dev/fd/3 3>events`;
    const run = await work.start(["capture", "-i", "lo", "-c", "1"], { cwd: open }, netns, [
      "sh",
      "-c",
      script,
      "sh",
    ]);
    await run.said("listening on");
    network.run(netns, "ping", ["-q", "-c", "1", "127.0.0.1"]);
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.ok(existsSync(`${open}/events`));
  });

  test("empty words come through, and those that a title was written over", async () => {
    const script = 'node=$1; shift; exec "$node" --title=netwatch "$@" -f ""';
    const through = ["sh", "-c", script, "sh"];
    const run = work.start(["capture", "-i", "lo"], { cwd: open }, netns, through);
    await run.said("listening on");
    assert.deepEqual(rightsOf(run.pid), bare(NOBODY));
    assert.equal((await run.stop()).code, 0);
    const quoted = await start(["capture", "-i", "lo", "-f", "", "-n", "-a", "duration:1"]);
    assert.equal((await quoted.ended).code, 0);
  });

  const confined = landlockVersion() === 0 && "needs Landlock, and no seccomp filter around this process";
  test("it writes beneath the folders of its outputs alone", { skip: confined }, async () => {
    const elsewhere = work.path("elsewhere");
    // Run by the program itself as it executes itself again.
    const code = `
      import { writeFileSync } from "node:fs";
      if (process.env.NETWATCH_OPENER) for (const path of ${JSON.stringify([`${open}/here`, elsewhere])})
        try { writeFileSync(path, ""); } catch (error) { console.error(path, error.code); }`;
    const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` };
    const run = await start(["capture", "-i", "lo", "-w", `${open}/x.pcapng`, "-Z", "root"], { env });
    const { code: status, stderr } = await run.stop();
    assert.equal(status, 0, stderr);
    assert.match(stderr, new RegExp(`^${elsewhere} EACCES$`, "m"));
    assert.ok(existsSync(`${open}/here`) && !existsSync(elsewhere));
  });
});
