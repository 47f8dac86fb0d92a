import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../../until.test.fixture.js";
import { reasonToSkip, TestNetwork } from "../kernel/netns.test.fixture.js";
import { openCapSource } from "./cap.js";
import { CaptureError, type CaptureFailure, type LiveOptions, type LiveSource } from "./live.js";
import {
  type BridgeLab,
  capIsMissing,
  createBridge,
  drain,
  FrameSender,
  liveOptions,
  udpFrame,
} from "./live.test.fixture.js";
import { openRingSource } from "./ring.js";

interface Engine {
  readonly name: string;
  readonly open: (options: LiveOptions) => LiveSource;
  /** Whether the kernel's own time and the length on the wire are known. */
  readonly exact: boolean;
  readonly skip: string | false;
}

const noRoot = reasonToSkip();
const ENGINES: readonly Engine[] = [
  { name: "ring", open: openRingSource, exact: true, skip: noRoot },
  { name: "cap", open: openCapSource, exact: false, skip: noRoot || capIsMissing() },
];

/** Engine cap gives each frame 64 KiB of its buffer: no more than this many can wait. */
const FRAMES = 100;

for (const engine of ENGINES) {
  describe(`contract of a live source: engine ${engine.name}`, { skip: engine.skip }, () => {
    let network: TestNetwork;
    let lab: BridgeLab;
    const open = (rest: Partial<LiveOptions> = {}) => engine.open(liveOptions(lab.bridge, rest));

    before(() => {
      network = new TestNetwork();
      lab = createBridge(network);
    });
    after(async () => {
      lab.close();
      await network.close();
    });

    /** Whether this many frames have come, or will without waiting: stopped, engine cap gives what libpcap has handed over. */
    const hasTaken = (source: LiveSource, frames: number) =>
      engine.name === "cap" ? until(() => source.packets >= frames) : undefined;

    /** Opens, lets `send` act, stops, and gives what came. */
    async function captured(rest: Partial<LiveOptions>, expected: number, send: () => void) {
      const source = open(rest);
      try {
        const frames = drain(source);
        await lab.passing(send);
        await hasTaken(source, expected);
        source.stop();
        return { frames: await frames, source, counts: source.counts() };
      } finally {
        source.close();
      }
    }

    test("gives each frame once, whole, in order, with its time", async () => {
      const sent = [10, 100, 1000].map((size, i) => udpFrame(9, size, 0x61 + i));
      const from = Date.now() * 1000;
      const { frames, source } = await captured({}, 3, () => {
        lab.a.send(sent[0]!);
        lab.b.send(sent[1]!);
        lab.a.send(sent[2]!);
      });
      assert.equal(source.linkType, 1);
      assert.equal(source.packets, 3);
      assert.deepEqual(
        frames.map(({ bytes, length }) => [Buffer.from(bytes).toString("hex"), length]),
        sent.map((frame) => [Buffer.from(frame).toString("hex"), frame.length]),
      );
      for (const { timeUs } of frames) assert.ok(timeUs >= from - 1000 && timeUs <= Date.now() * 1000 + 1000);
    });

    test("what was sent before it was opened does not come", async () => {
      await lab.passing(() => {
        for (let i = 0; i < 20; i++) lab.a.send(udpFrame(7, 50));
      });
      const { frames } = await captured({ filter: "udp port 9" }, 1, () => {
        lab.a.send(udpFrame(7, 50));
        lab.a.send(udpFrame(9, 50));
      });
      assert.equal(frames.length, 1);
    });

    test("a snaplen cuts the bytes, and the length on the wire stays where the engine knows it", async () => {
      const frame = udpFrame(9, 500);
      const { frames } = await captured({ snaplen: 60 }, 1, () => lab.a.send(frame));
      assert.deepEqual(Buffer.from(frames[0]!.bytes), Buffer.from(frame.subarray(0, 60)));
      if (engine.exact) assert.equal(frames[0]!.length, frame.length);
    });

    test("VLAN tags are in the frame, and a filter looks behind them", async () => {
      const frames = [[], [5], [5, 6]].map((tags) => udpFrame(9, 40, 0x62, tags));
      const others = [[], [5], [5, 6]].map((tags) => udpFrame(7, 40, 0x62, tags));
      for (const filter of ["", "udp port 9", "not udp port 7", "udp dst port 9 and len > 20"]) {
        const seen = await captured({ filter }, frames.length, () => {
          for (const frame of [...frames, ...(filter === "" ? [] : others)]) lab.a.send(frame);
        });
        assert.deepEqual(
          seen.frames.map(({ bytes }) => Buffer.from(bytes).toString("hex")),
          frames.map((frame) => Buffer.from(frame).toString("hex")),
          filter,
        );
      }
    });

    test("a filter on VLANs sees the tag", async () => {
      const { frames } = await captured({ filter: "vlan 5 and udp port 9" }, 1, () => {
        for (const tags of [[], [4], [5]]) lab.a.send(udpFrame(9, 40, 0x63, tags));
      });
      assert.deepEqual(
        frames.map(({ bytes }) => Buffer.from(bytes).toString("hex")),
        [Buffer.from(udpFrame(9, 40, 0x63, [5])).toString("hex")],
      );
    });

    test("stopping gives what has come, then ends; closing ends at once, and twice is no matter", async (t) => {
      const source = open();
      t.after(() => source.close());
      const early = engine.name === "cap" ? drain(source) : null;
      await lab.passing(() => {
        for (let i = 0; i < FRAMES; i++) lab.a.send(udpFrame(9, 100));
      });
      await hasTaken(source, FRAMES);
      source.stop();
      for (let i = 0; i < FRAMES; i++) lab.a.send(udpFrame(9, 100));
      assert.equal((await (early ?? drain(source))).length, FRAMES);
      assert.equal(await source.fill(), false);
      source.close();
      source.close();
      const idle = open();
      const ended = drain(idle);
      setImmediate(() => idle.close());
      assert.deepEqual(await ended, []);
      assert.equal(idle.next(), false);
    });

    for (const [act, reason] of [
      ["link set w0 down", "the interface went down"],
      ["link del w0", "the interface is gone"],
    ] as const) {
      test(`${act.split(" ")[1]} of the interface ends it with a reason, what had come first`, async () => {
        network.link(lab.bridge, "w0", "", lab.ends[0], "w1", "");
        const sender = new FrameSender(lab.ends[0], "w1");
        const source = open({ interface: "w0" });
        try {
          const frames = drain(source);
          for (let i = 0; i < 3; i++) sender.send(udpFrame(9, 100));
          await until(() => source.packets === 3);
          network.ip(lab.bridge, act);
          assert.equal((await frames).length, 3);
          assert.deepEqual([source.ended, source.outages], [reason, 1]);
          source.stop();
        } finally {
          source.close();
          sender.close();
          if (act.includes("down")) network.ip(lab.bridge, "link del w0");
        }
      });
    }

    test("what cannot be opened says why", () => {
      network.ip(lab.bridge, "link add off0 type veth peer name off1");
      const failure = (rest: Partial<LiveOptions>): [CaptureFailure, string] => {
        try {
          open(rest).close();
        } catch (error) {
          assert.ok(error instanceof CaptureError, String(error));
          assert.ok(!error.message.includes("\n"));
          return [error.failure, error.message];
        }
        return assert.fail(`${JSON.stringify(rest)} was opened`);
      };
      assert.equal(failure({ interface: "no0" })[0], "interface");
      assert.match(failure({ interface: "no0" })[1], /no interface no0/);
      assert.equal(failure({ interface: "off0" })[0], "interface");
      assert.match(failure({ interface: "off0" })[1], /off0 is down/);
      assert.equal(failure({ filter: "tcp prot 80" })[0], "filter");
      assert.match(failure({ filter: "tcp prot 80" })[1], /filter "tcp prot 80": .*syntax error/);
      assert.equal(failure({ filter: "udp) or (tcp" })[0], "filter");
    });
  });
}
