/** One run and its subscribers: each is called in order, and an error of one ends the run. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { reasonToSkip, TestNetwork } from "../capture/kernel/netns.test.fixture.js";
import { FrameSender, udpFrame } from "../capture/live/live.test.fixture.js";
import type { HealthRound } from "./health/health-rounds.js";
import { Next } from "./loop.js";
import type { Outside } from "./outside.js";
import { type Following, LiveRun, type Subscriber } from "./run.js";

describe("a live run", { skip: reasonToSkip() }, () => {
  let network: TestNetwork;
  let here: string;
  let there: string;
  let run: LiveRun;
  const outside: Outside = { write: async () => {}, say: () => {}, env: {} };

  beforeEach(async () => {
    network = new TestNetwork();
    here = network.add();
    there = network.add();
    for (const name of [here, there]) network.set(name, "net.ipv6.conf.default.disable_ipv6", 1);
    network.link(here, "w0", "", there, "w1", "");
    const captured = { interface: ["w0"], netns: here };
    run = await LiveRun.open(captured, { numeric: true, conntrack: true }, "netwatch 0", outside);
  });
  afterEach(async () => {
    run.close();
    await network.close();
  });

  const follow = (subscribers: readonly Subscriber[], more: Partial<Following> = {}) =>
    run.follow({ subscribers, intervalMs: 5, lookTicks: 2, taker: null, ...more });
  const send = (frames: number) => {
    const sender = new FrameSender(there, "w1");
    for (let i = 0; i < frames; i++) sender.send(udpFrame(9, i));
    sender.close();
  };

  test("every subscriber is told of ticks, and at every look of tracking and of a Snapshot, in this order", async () => {
    const ended = new AbortController();
    const told: string[] = [];
    const first: Subscriber = {
      onTick: () => void told.push("tick"),
      onConntrack: ({ capture }, isLast) => void told.push(`tracking ${capture.gap} ${isLast}`),
      onPoll: (what, ms) => void (ms >= 0 && told.push(what)),
    };
    const second: Subscriber = {
      wantsEvidence: true,
      async onSnapshot({ totals, conntrack }) {
        told.push("snapshot");
        assert.ok(conntrack, "it was asked for");
        if (totals.packets === 3 && told.filter((what) => what === "snapshot").length >= 2) ended.abort();
      },
    };
    follow([first, second]);
    send(3);
    await run.takePackets(ended.signal);
    const look = ["tick", "tracking false false", "conntrack", "snapshot"];
    assert.deepEqual(told.slice(0, 9), [...look, "tick", ...look]);
    assert.equal(run.snapshot().totals.packets, 3);
    await run.end();
    run.tell(true, true);
    assert.deepEqual(told.slice(-2), ["tick", "tracking false true"]);
  });

  test("the taker ends the run, and gets each packet after it is counted", async () => {
    const counts: number[] = [];
    const take = () => {
      counts.push(run.analyzer.packets);
      return counts.length === 2 ? Next.stop : Next.packet;
    };
    follow([], { taker: { take, settle: async () => {}, tick: async () => {} } });
    send(5);
    await run.takePackets(new AbortController().signal);
    assert.deepEqual(counts, [1, 2]);
  });

  test("rounds of health go to each subscriber at once, and what one throws ends the run", async () => {
    const got: HealthRound[] = [];
    const failing: Subscriber = {
      onHealth: () => {
        throw new Error("the disk is full");
      },
    };
    follow([{ onHealth: (of) => void got.push(of) }, failing]);
    const round = roundOf("up");
    run.addHealth(round);
    assert.deepEqual(got, [round]);
    await assert.rejects(run.takePackets(new AbortController().signal), /the disk is full/);
  });

  test("what happens is told once to each who listens, before what shows it, and to the end", async () => {
    const told: string[] = [];
    let looks = 0;
    let isGone = false;
    const listener = (name: string): Subscriber => ({
      onEvent: ({ event }, timeUs) => void (timeUs > 0 && told.push(`${name} ${event}`)),
    });
    const looker: Subscriber = {
      onHealth: () => void told.push("round"),
      onSnapshot: ({ totals }) => {
        if (++looks === 1) send(1);
        if (totals.packets === 0 || isGone || told.length === 0) return;
        isGone = true;
        network.ip(here, "link del w0");
      },
    };
    follow([listener("a"), looker, listener("b")]);
    run.addHealth(roundOf("up"));
    run.addHealth(roundOf("down"));
    assert.deepEqual(told.splice(0), ["round", "a health", "b health", "round"]);
    await run.takePackets(new AbortController().signal);
    await run.end();
    run.finish();
    assert.deepEqual(told, ["a new-pair", "b new-pair", "a capture-ended", "b capture-ended"]);
  });

  const roundOf = (state: string): HealthRound => {
    const target = { service: "web", address: "10.0.0.1", port: 80, state, reason: null };
    return { checks: [], problem: null, timeUs: 1, report: { targets: [target] } } as unknown as HealthRound;
  };
});
