import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { CaptureReader, readPackets } from "../../capture/file/file.js";
import { INPUT_BYTES } from "../../capture/file/input.js";
import {
  asPacket,
  dice,
  type SamplePacket,
  talkPacket,
  talks,
  u8,
} from "../../capture/file/sample.test.fixture.js";
import { renderSnapshotJson } from "../../report/data/json.js";
import { Analyzer, type AnalyzerOptions } from "../analyzer.js";
import { buildSnapshot } from "../snapshot/build.js";
import { frameOf } from "../tcp/tcp.test.fixture.js";
import { type Core, instantiate } from "./core.js";
import { Bound, Cell, Entry, Layout, Place, TroubleLayout } from "./layout.js";
import { SlowCore } from "./reference.test.fixture.js";

const FIXTURES = fileURLToPath(new URL("../../../../fixtures/", import.meta.url));
const SEED = 20261128;
const MAX_FRAME = 2048;

type Feed = (analyzer: Analyzer, core: Core) => Promise<void> | void;

/** Every word that is left in memory, but for what only the index and the batch are made of; and all that is shown. */
async function resultOf(isSlow: boolean, feed: Feed, options: AnalyzerOptions) {
  let core: Core | undefined;
  const analyzer = new Analyzer({
    ...options,
    openCore: (opened, host) => {
      core = opened;
      return isSlow ? new SlowCore(opened, host) : instantiate(opened, host);
    },
  });
  await feed(analyzer, core!);
  analyzer.flush();
  const { cells, words, totals, entries4, entries6, connections, troubles } = core!;
  const told = cells.slice();
  for (const which of [Cell.slots4, Cell.slots6, Cell.sink]) told[which] = 0;
  const table = (at: number, count: number, bytes: number) => words.slice(at / 4, (at + count * bytes) / 4);
  const built = buildSnapshot(analyzer, { producer: "test", files: [], dropped: null, names: null });
  return {
    totals: totals.slice(),
    cells: told,
    counts: words.slice(Place.protocols / 4, Place.rows / 4),
    flows4: table(entries4, cells[Cell.flows4]!, Entry.bytes4),
    flows6: table(entries6, cells[Cell.flows6]!, Entry.bytes6),
    connections: table(connections, cells[Cell.top]!, Layout.words * 4),
    troubles: table(troubles, cells[Cell.troubles]!, TroubleLayout.words * 4),
    shown: [...renderSnapshotJson(built, true)].join(""),
  };
}

/** Both cores make the same of it. Gives what the compiled one shows. */
async function assertSame(feed: Feed, options: AnalyzerOptions, what: string): Promise<string> {
  const fast = await resultOf(false, feed, options);
  const slow = await resultOf(true, feed, options);
  for (const part of ["totals", "cells", "counts", "flows4", "flows6", "connections", "troubles"] as const) {
    const at = fast[part].findIndex((word, i) => !Object.is(word, slow[part][i]));
    assert.ok(at < 0, `${what}: ${part}[${at}] is ${fast[part][at]}, not ${slow[part][at]}`);
    assert.equal(fast[part].length, slow[part].length, `${what}: ${part}`);
  }
  assert.equal(fast.shown, slow.shown, what);
  return fast.shown;
}

/** A capture as `analyze` reads it: into the core's memory. */
function feedCapture(bytes: Uint8Array, isInside = true): Feed {
  return async (analyzer) => {
    let at = 0;
    const source = {
      read(into: Uint8Array) {
        const piece = bytes.subarray(at, at + into.length);
        into.set(piece);
        at += piece.length;
        return piece.length;
      },
      close() {},
      failure: null,
      taken: 0,
    };
    const room = isInside ? analyzer.room(0, INPUT_BYTES) : undefined;
    const reader = await CaptureReader.open("x", source, room);
    await readPackets(
      [reader],
      (packet) => analyzer.add(packet),
      () => analyzer.flush(),
    );
  };
}

/** Frames that lie in the core's memory, a batch at a time, every seventh elsewhere. */
function feedFrames(frames: readonly SamplePacket[]): Feed {
  return (analyzer, core) => {
    const room = core.room(0, MAX_FRAME * 32)!;
    const view = new DataView(room.buffer, room.byteOffset, room.length);
    frames.forEach(({ timeUs, bytes, length = bytes.length }, i) => {
      const packet = asPacket({ timeUs, bytes, length });
      if (i % 7 !== 0 && bytes.length <= MAX_FRAME) {
        packet.offset = (i % 32) * MAX_FRAME;
        room.set(bytes, packet.offset);
        packet.view = view;
      }
      analyzer.add(packet);
      if (i % 32 === 31) analyzer.flush();
    });
  };
}

/** Segments of a few connections, in and out of order, with every flag and option, ports used again and clocks that run back. */
function conversations(seed: number, count: number, ports: number): SamplePacket[] {
  const roll = dice(seed | 1);
  const seqs = new Map<string, number>();
  const flags = ["S", "SA", "A", "A", "A", "PA", "PA", "FA", "R", "RA", "F", "SF"] as const;
  const options = [
    u8(),
    u8(3, 3, 7, 0),
    u8(1, 3, 3, 14),
    u8(1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9),
    u8(2, 0, 0, 0),
  ];
  let atUs = 0;
  return Array.from({ length: count }, () => {
    const clientPort = 1000 + roll(ports);
    const from = roll(2) === 0 ? "client" : "server";
    const own = `${clientPort}${from}`;
    const other = `${clientPort}${from === "client" ? "server" : "client"}`;
    const length = roll(3) === 0 ? roll(4) * roll(200) : 0;
    const seq = (seqs.get(own) ?? roll(2 ** 32)) - (roll(6) === 0 ? roll(3) : 0);
    if (roll(8) !== 0) seqs.set(own, seq + length + (roll(9) === 0 ? 1000 : 0));
    if (roll(60) === 0) seqs.delete(own);
    atUs += roll(50) === 0 ? -roll(5000) : roll(20_000);
    const frame = frameOf({
      from,
      flags: flags[roll(flags.length)]!,
      seq,
      ack: (seqs.get(other) ?? 0) - roll(2) * roll(40),
      length,
      window: roll(9) === 0 ? 0 : roll(3) * 500,
      atUs,
      clientPort,
      ...(roll(3) === 0 ? { options: options[roll(options.length)]! } : {}),
    });
    if (roll(25) === 0)
      return {
        ...frame,
        bytes: frame.bytes.subarray(0, roll(frame.bytes.length)),
        length: frame.bytes.length,
      };
    return frame;
  });
}

const CAPTURES = readdirSync(FIXTURES).filter((name) => name.endsWith(".pcapng"));

for (const name of CAPTURES)
  test(`the core counts ${name} as the reference does, wherever its bytes lie and with tunnels entered`, async () => {
    const bytes = readFileSync(join(FIXTURES, name));
    const inside = await assertSame(feedCapture(bytes), { seed: SEED }, name);
    assert.equal(await assertSame(feedCapture(bytes, false), { seed: SEED }, name), inside);
    await assertSame(feedCapture(bytes), { decapsulate: true }, name);
  });

test("captures with bytes changed at random are counted as the reference counts them, at every bound", async () => {
  const roll = dice(SEED | 1);
  const whole = CAPTURES.map((name) => readFileSync(join(FIXTURES, name)));
  for (let i = 0; i < 60; i++) {
    const bytes = Uint8Array.from(whole[i % whole.length]!.subarray(0, 200_000));
    for (let n = roll(200); n > 0; n--) bytes[roll(bytes.length)] = roll(256);
    const maxFlows = [1, 3, 40, 1000][i % 4]!;
    await assertSame(feedCapture(bytes), { maxFlows, maxConnections: 1 + roll(30) }, `mutation ${i}`);
  }
});

test("made-up connections are counted as the reference counts them: ports used again, tables that are full", async () => {
  const bounds: readonly [ports: number, maxFlows: number, maxConnections: number][] = [
    [1, 10, 10],
    [5, 100, 100],
    [40, 31, 100],
    [40, 100, 31],
    [40, 1, 1],
    [40, 7, 3],
    [300, 33, 200],
    [300, 1000, 64],
    [300, 1000, 1000],
  ];
  for (const [ports, maxFlows, maxConnections] of bounds)
    for (let seed = 1; seed <= 2; seed++) {
      const frames = conversations(seed * 7919, 2000, ports);
      await assertSame(
        feedFrames(frames),
        { maxFlows, maxConnections, seed },
        `${ports}/${maxFlows}/${maxConnections}`,
      );
    }
});

test("flows that are over leave as in the reference, whether their ports come again or the hand finds them", async () => {
  for (const [activeUs, idleUs] of [
    [2000, 900],
    [400, 3000],
    [undefined, 150],
  ] as const) {
    const timeouts = { ...(activeUs === undefined ? {} : { activeUs }), idleUs };
    for (const maxFlows of [40, 1_000_000]) {
      const feed: Feed = (analyzer) => {
        for (const talk of talks(SEED + idleUs, 4000, 12)) analyzer.add(asPacket(talkPacket(talk)));
        assert.ok(analyzer.flows.expired.flows > 10, `${analyzer.flows.expired.flows} flows`);
      };
      await assertSame(feed, { seed: SEED, maxFlows, timeouts }, `${activeUs} ${idleUs} ${maxFlows}`);
    }
  }
});

test("what counts together changes nothing: batches of one give what batches of many give", async () => {
  const frames = conversations(SEED, 2000, 20);
  const options = { maxFlows: 12, maxConnections: 9 };
  const many = await resultOf(false, feedFrames(frames), options);
  const one = await resultOf(
    false,
    (analyzer) => {
      for (const frame of frames) {
        analyzer.add(asPacket({ length: frame.bytes.length, ...frame }));
        analyzer.flush();
      }
    },
    options,
  );
  assert.deepEqual(one, many);
});

test("more than the core can address is refused with a reason", () => {
  assert.throws(
    () => new Analyzer({ maxFlows: Bound.flows + 1 }),
    /^RangeError: no more than 16000000 conversations/,
  );
  assert.throws(() => new Analyzer({ maxConnections: Bound.connections + 1 }), RangeError);
  const analyzer = new Analyzer({ maxFlows: Bound.flows, maxConnections: Bound.connections });
  assert.equal(analyzer.flows.count, 0);
});
