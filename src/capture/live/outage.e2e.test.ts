/** An interface that goes away and comes back: a ring that waits takes it up again, on the socket it has. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { until } from "../../until.test.fixture.js";
import { reasonToSkip, TestNetwork } from "../kernel/netns.test.fixture.js";
import { drain, FrameSender, type KeptPacket, liveOptions, udpFrame } from "./live.test.fixture.js";
import { openRingSource, type RingSource } from "./ring.js";

describe("a ring that waits for its interface", { skip: reasonToSkip() }, () => {
  let network: TestNetwork;
  let here: string;
  let there: string;
  let source: RingSource;
  let frames: Promise<KeptPacket[]>;

  beforeEach(() => {
    network = new TestNetwork();
    here = network.add();
    there = network.add();
    for (const name of [here, there]) network.set(name, "net.ipv6.conf.default.disable_ipv6", 1);
    network.link(here, "w0", "", there, "w1", "");
    source = openRingSource(liveOptions(here, { interface: "w0", waits: true }));
    frames = drain(source);
  });
  afterEach(async () => {
    source.close();
    await network.close();
  });

  const send = (payload: number) => {
    const sender = new FrameSender(there, "w1");
    sender.send(udpFrame(9, payload));
    sender.close();
  };
  const lengths = async (count: number) => {
    await until(() => source.packets === count);
    source.stop();
    return (await frames).map(({ length }) => length - udpFrame(9, 0).length);
  };

  test("it goes down and comes up: what comes then is taken, and the outage counted", async () => {
    send(1);
    await until(() => source.packets === 1);
    network.ip(here, "link set w0 down");
    await until(() => source.ended === "the interface went down");
    assert.equal(source.outages, 1);
    network.ip(here, "link set w0 up");
    await until(() => source.ended === null);
    send(2);
    assert.deepEqual(await lengths(2), [1, 2]);
    assert.equal(source.outages, 1);
  });

  test("it is deleted and one of its name is made: taken as the same, twice over", async () => {
    send(1);
    await until(() => source.packets === 1);
    for (const [i, payload] of [2, 3].entries()) {
      network.ip(here, "link del w0");
      await until(() => source.ended === "the interface is gone");
      assert.equal(source.outages, i + 1);
      network.link(here, "w0", "", there, "w1", "");
      await until(() => source.ended === null);
      send(payload);
      await until(() => source.packets === payload);
    }
    assert.deepEqual(await lengths(3), [1, 2, 3]);
  });

  test("one of another kind is not taken for it, and stopping does not wait", async () => {
    network.ip(here, "link del w0");
    await until(() => source.ended !== null);
    network.ip(here, "tuntap add dev w0 mode tun");
    network.ip(here, "link set w0 up");
    await setTimeout(500); // a few looks; on a busy machine fewer
    assert.equal(source.ended, "the interface is gone");
    source.stop();
    assert.deepEqual(await frames, []);
  });
});
