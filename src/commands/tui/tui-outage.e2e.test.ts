/** The monitor whose interface goes away: it says so, goes on when it is back, and ends as it should. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { afterEach, beforeEach, describe, test } from "node:test";
import { reasonToSkip, TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { FrameSender, udpFrame } from "../../capture/live/live.test.fixture.js";
import { PtyProgram } from "../pty.test.fixture.js";

const noPython = spawnSync("python3", ["--version"]).status === 0 ? false : "python3 is not installed";

describe("the monitor and its interface", { skip: reasonToSkip() || noPython }, () => {
  let network: TestNetwork;
  let here: string;
  let there: string;
  let monitor: PtyProgram;

  beforeEach(() => {
    network = new TestNetwork();
    here = network.add();
    there = network.add();
    for (const name of [here, there]) network.set(name, "net.ipv6.conf.default.disable_ipv6", 1);
    network.link(here, "w0", "", there, "w1", "");
    monitor = new PtyProgram(["tui", "-i", "w0", "--netns", here, "--interval", "0.2"]);
  });
  afterEach(async () => {
    monitor.kill();
    await network.close();
  });

  const send = () => {
    const sender = new FrameSender(there, "w1");
    sender.send(udpFrame(9, 60));
    sender.close();
  };

  test("deleted and made again: reported, waited for, the packets after it are counted", async () => {
    await monitor.until(/w0 · live · .*0 packets/);
    send();
    await monitor.until(/ 1 packet · 0 dropped/);
    network.ip(here, "link del w0");
    await monitor.until(/w0 · AWAY, waiting · .* 1 packet/);
    network.link(here, "w0", "", there, "w1", "");
    await monitor.until(/w0 · live/);
    send();
    await monitor.until(/ 2 packets · 0 dropped/);
    monitor.type("9");
    await monitor.until(
      /w0 is back; packets meanwhile are missing[\s\S]*w0 gives no more packets: the interface is gone/,
    );
    monitor.type("1");
    await monitor.until(/INCOMPLETE: w0: away 1 time, packets meanwhile are missing/);
    monitor.type("q");
    assert.equal(await monitor.ended, 0);
  });

  test("its namespace is removed: the last screen stays until q, and the shell is told", async () => {
    await monitor.until(/w0 · live · .*0 packets/);
    send();
    await monitor.until(/ 1 packet · 0 dropped/);
    execFileSync("umount", [`/run/netns/${here}`]);
    await monitor.until(/w0 · ENDED · .* 1 packet/);
    monitor.type("q");
    assert.equal(await monitor.ended, 4);
    assert.match(monitor.written, /the network namespace nw\w+ is gone; 1 packet before that is counted/);
  });
});
