import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { reasonUnreadable } from "../../readable.test.fixture.js";
import { until } from "../../until.test.fixture.js";
import { ConntrackPoller } from "../conntrack/tracker.js";
import { SystemError } from "../kernel/libc.js";
import { openPair, optionOf } from "../kernel/messages.js";
import type { NetlinkFamily } from "../kernel/netlink.js";
import { NetnsError } from "../kernel/netns.js";
import { reasonToSkip, TestNetwork } from "../kernel/netns.test.fixture.js";
import { DIRECT, type Opener, openRoute, SocketType, useOpener } from "./opener.js";
import { rightsOf } from "./opener.test.fixture.js";
import { OpenerGone, RemoteOpener } from "./remote-opener.js";

const PROGRAM = fileURLToPath(new URL("./opener-process.js", import.meta.url));
const SO_TYPE = 3;
const SO_DOMAIN = 39;
const AF_PACKET = 17;
const NOBODY = 65_534;
const NET_ADMIN = (1 << 12).toString(16);

describe("an opener", { skip: reasonToSkip("conntrack") }, () => {
  const network = new TestNetwork();
  const children: ChildProcess[] = [];
  let shop: string;
  let host: string;

  before(() => {
    [shop, host] = [network.add(), network.add()];
    network.link(shop, "eth0", "10.63.0.2/24", host, "port0", "10.63.0.1/24");
    network.track(shop, 24);
  });
  after(async () => {
    useOpener(DIRECT);
    for (const child of children) child.kill("SIGKILL");
    await network.close();
  });

  /** `through`: a program that becomes it. */
  function start(through: readonly string[] = []): {
    opener: RemoteOpener;
    child: ChildProcess;
    ours: number;
  } {
    const [ours, theirs] = openPair();
    const [program, ...words] = [...through, process.execPath, PROGRAM];
    const child = spawn(program!, words, { stdio: ["ignore", "ignore", "inherit", theirs] });
    closeSync(theirs);
    children.push(child);
    return { opener: new RemoteOpener(ours, null), child, ours };
  }

  const kinds: readonly (readonly [string, () => Opener])[] = [
    ["by the process itself", () => DIRECT],
    ["by a process beside it", () => start().opener],
  ];
  for (const [how, make] of kinds) {
    test(`${how}: sockets are of the kind and in the namespace that they were asked for`, (t) => {
      const opener = make();
      t.after(() => opener.seal(false));
      for (const [netns, type] of [
        [null, SocketType.raw],
        [shop, SocketType.datagram],
      ] as const) {
        const fd = opener.packetSocket(netns, type);
        assert.deepEqual([optionOf(fd, SO_DOMAIN), optionOf(fd, SO_TYPE)], [AF_PACKET, type]);
        closeSync(fd);
      }
      useOpener(opener);
      for (const [netns, address] of [
        [shop, "10.63.0.2"],
        [host, "10.63.0.1"],
      ] as const) {
        const route = openRoute(netns);
        assert.ok(
          route.addresses().some(({ text }) => text === address),
          netns,
        );
        route.close();
      }
    });

    test(`${how}: connection tracking is polled, and accounting switched on and back`, async (t) => {
      const opener = make();
      t.after(() => opener.seal(false));
      useOpener(opener);
      const tracker = ConntrackPoller.open(shop, true);
      t.after(() => tracker.close());
      const poll = async () => {
        await tracker.poll(async () => {});
        assert.equal(tracker.problem, null);
        assert.equal(tracker.entries.count, 24);
        assert.ok(tracker.facts!.timeouts.size > 10);
        return tracker.facts!.accounting;
      };
      assert.equal(await poll(), false);
      opener.seal(true);
      tracker.enableAccounting();
      assert.equal(await poll(), true);
      tracker.restoreAccounting();
      assert.equal(await poll(), false);
    });

    test(`${how}: the network is looked at`, (t) => {
      const opener = make();
      t.after(() => opener.seal(false));
      const names = (opener.network(null).others ?? []).map(({ namespace }) => namespace.name);
      assert.ok(names.includes(shop) && names.includes(host), names.join(" "));
    });

    test(`${how}: what fails says why`, (t) => {
      const opener = make();
      t.after(() => opener.seal(false));
      const missing = (error: unknown) =>
        error instanceof NetnsError &&
        error.code === "ENOENT" &&
        /no network namespace nowhere/.test(error.message);
      assert.throws(() => opener.packetSocket("nowhere", SocketType.raw), missing);
      assert.throws(() => opener.conntrackFiles("nowhere", false), missing);
      assert.throws(
        () => opener.netlinkSocket(null, 77 as NetlinkFamily),
        (error) => error instanceof Error,
      );
    });
  }

  test("sealed, it opens no more and has CAP_NET_ADMIN only in the thread that works, as the user `nobody`", async () => {
    const { opener, child } = start();
    opener.network();
    opener.seal(true);
    const bare = (nnp: number) => `${NOBODY} 0 0 0 0 ${nnp}`;
    await until(() => rightsOf(child.pid!).includes(bare(0)), "root is given up");
    await until(() => rightsOf(child.pid!).length === 2, "the rest is given up");
    assert.deepEqual(rightsOf(child.pid!), [bare(0), `${NOBODY} 0 ${NET_ADMIN} ${NET_ADMIN} 0 1`]);
    assert.throws(() => opener.packetSocket(null, SocketType.raw), /nothing is opened any more/);
    assert.ok(opener.network().others.some(({ namespace }) => namespace.name === shop));
  });

  const again =
    "without root it executes itself again: every thread has only CAP_NET_ADMIN, and its state is kept";
  test(again, { skip: reasonUnreadable() }, async () => {
    const only = (kind: string) => [`--${kind}`, "-all,+net_admin,+net_raw,+dac_read_search"];
    const through = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const { opener, child } = start([
      ...through,
      ...["inh-caps", "ambient-caps", "bounding-set"].flatMap(only),
      "--no-new-privs",
    ]);
    const before = opener.network();
    useOpener(opener);
    const tracker = ConntrackPoller.open(null);
    opener.seal(true);
    const expected = [`${NOBODY} ${NET_ADMIN} ${NET_ADMIN} ${NET_ADMIN} ${NET_ADMIN} 1`];
    await until(() => rightsOf(child.pid!).join() === expected.join(), "it has executed itself again");
    assert.deepEqual(opener.network().own.namespace, before.own.namespace);
    await tracker.poll(async () => {});
    assert.equal(tracker.problem, null);
    tracker.close();
    assert.throws(() => opener.packetSocket(null, SocketType.raw), /nothing is opened any more/);
  });

  test("it ends when it is told that nothing is polled, and when the other side is gone", async () => {
    const told = start();
    const left = start();
    told.opener.network();
    told.opener.seal(false);
    closeSync(left.ours);
    for (const { child } of [told, left]) assert.deepEqual(await ended(child), [0, null]);
    assert.throws(() => told.opener.network(), OpenerGone);
  });

  test("one that was killed is said as the failure of what was asked, again and again, and a signal to end is not for it", async () => {
    const { opener, child } = start();
    useOpener(opener);
    const tracker = ConntrackPoller.open(shop);
    opener.network();
    child.kill("SIGTERM");
    child.kill("SIGINT");
    assert.ok(opener.network().own);
    child.kill("SIGKILL");
    await ended(child);
    for (let i = 0; i < 2; i++) {
      await tracker.poll(async () => {});
      assert.equal(
        tracker.problem,
        "connection tracking could not be read: the process that keeps the capabilities has ended",
      );
      assert.equal(tracker.entries.count, 0);
    }
    assert.throws(
      () => opener.network(),
      (error) => error instanceof SystemError && error.code === "EPIPE",
    );
    tracker.close();
  });

  async function ended(child: ChildProcess): Promise<unknown[]> {
    if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
    return await once(child, "exit");
  }
});
