import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { packetOf } from "../packet.test.fixture.js";
import { openCaptureFile, rotatedName } from "./capture-file.js";
import { InputBuffer } from "./input.js";
import { PcapngDecoder } from "./pcapng.js";
import { PcapngWriter } from "./pcapng-writer.js";
import { Recorder, type RecorderOptions } from "./recorder.js";

const DESCRIPTION = { name: "br0", linkType: 1, snaplen: 262_144, filter: "tcp port 80" };

interface Read {
  readonly packets: readonly [timeUs: number, nanos: number, length: number, hex: string][];
  readonly names: readonly unknown[];
  readonly dropped: number | null;
}

/** What the project's own reader makes of the bytes. */
function read(bytes: Uint8Array): Read {
  const input = new InputBuffer();
  const decoder = new PcapngDecoder(input);
  const packets: [number, number, number, string][] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = input.space();
    const n = Math.min(space.length, bytes.length - at);
    space.set(bytes.subarray(at, at + n));
    input.filled(n);
    at += n;
    while (decoder.next()) {
      const { view, offset, caplen, timeUs, nanos, length } = decoder.packet;
      const hex = Buffer.from(view.buffer, view.byteOffset + offset, caplen).toString("hex");
      packets.push([timeUs, nanos, length, hex]);
    }
  }
  decoder.end();
  assert.deepEqual(decoder.report.damages, []);
  return { packets, names: decoder.report.names, dropped: decoder.report.dropped };
}

test("what is written is read back: times to the nanosecond, any length, padding, names, losses", () => {
  const writer = new PcapngWriter();
  writer.begin("netwatch test", [DESCRIPTION, { ...DESCRIPTION, name: "eth1", filter: "" }]);
  const times = [0, 1, 4_294_967_295, 4_294_967_296, 1_795_347_669_570_310, Number.MAX_SAFE_INTEGER];
  const expected: [number, number, number, string][] = [];
  times.forEach((timeUs, i) => {
    const frame = new Uint8Array(60 + i).map((_, k) => (k * 7 + i) & 255);
    const nanos = i === 5 ? 0 : (i * 333) % 1000;
    writer.add(i % 2, { ...packetOf(frame, timeUs, nanos), length: 1500 + i });
    expected.push([timeUs, nanos, 1500 + i, Buffer.from(frame).toString("hex")]);
  });
  const names = [
    { address: "10.0.0.1", name: "web" },
    { address: "fd00::1", name: "dätabase" },
  ];
  writer.names(names);
  writer.statistics(0, 1_795_347_669_570_310, { received: 10, dropped: 4 });
  writer.statistics(1, 1_795_347_669_570_310, { received: null, dropped: null });
  const result = read(writer.take());
  assert.deepEqual(result.packets.slice(0, -1), expected.slice(0, -1));
  assert.equal(result.packets.at(-1)![3], expected.at(-1)![3]);
  assert.deepEqual(result.names, names);
  assert.equal(result.dropped, 4);
});

test("larger than its buffer: it grows", () => {
  const writer = new PcapngWriter();
  writer.begin("t", [DESCRIPTION]);
  for (let i = 0; i < 20; i++) writer.add(0, packetOf(new Uint8Array(60_001).fill(i)));
  assert.equal(read(writer.take().slice()).packets.length, 20);
  assert.equal(writer.pending, 0);
});

test("built beside the packets, in room that is too small at times: the same bytes", () => {
  const memory = new ArrayBuffer(64 * 1024);
  const random = new Uint8Array(memory, 0, 40_000).map((_, i) => (i * 31 + (i >> 8)) & 255);
  new Uint8Array(memory).set(random);
  const build = (writer: PcapngWriter) => {
    const taken: Buffer[] = [];
    writer.begin("t", [DESCRIPTION]);
    for (let i = 0; i < 200; i++) {
      const frame = new Uint8Array(memory, (i * 37) % 20_000, 60 + ((i * 101) % 12_000));
      writer.add(0, { ...packetOf(frame, i), view: new DataView(memory), offset: frame.byteOffset });
      if (i % 3 === 0) taken.push(Buffer.from(writer.take()));
    }
    return Buffer.concat([...taken, writer.take()]);
  };
  const beside = build(new PcapngWriter(new Uint8Array(memory, 44_000, 20_000)));
  assert.ok(beside.equals(build(new PcapngWriter())));
  assert.equal(read(beside).packets.length, 200);
});

function withFolder(body: (folder: string) => Promise<void> | void): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-writer-"));
  return Promise.resolve(body(folder)).finally(() => rmSync(folder, { recursive: true }));
}

function options(rest: Partial<RecorderOptions> = {}): RecorderOptions {
  const statistics = () => [{ received: 0, dropped: 0 }];
  return {
    application: "t",
    interfaces: [DESCRIPTION],
    room: null,
    rotation: null,
    statistics,
    names: () => [],
    ...rest,
  };
}

test("a file is for its owner alone, also where it was there before; a link is not followed", () =>
  withFolder((folder) => {
    const path = join(folder, "a.pcapng");
    writeFileSync(path, "x".repeat(1000), { mode: 0o644 });
    const file = openCaptureFile(path);
    file.write(new Uint8Array(12));
    file.close();
    assert.deepEqual([statSync(path).mode & 0o777, statSync(path).size], [0o600, 12]);
    symlinkSync(path, join(folder, "link"));
    assert.throws(() => openCaptureFile(join(folder, "link")), { code: "ELOOP" });
  }));

test("names of a ring are dumpcap's", () => {
  const time = new Date(2026, 10, 2, 3, 4, 5);
  assert.equal(rotatedName("out.pcapng", 1, time), "out_00001_20261102030405.pcapng");
  assert.equal(rotatedName("/a.b/out", 123_456, time), "/a.b/out_123456_20261102030405");
  assert.equal(rotatedName("/out.pcapng", 2, time), "/out_00002_20261102030405.pcapng");
});

test("each file of a ring says what was lost while it was written", () =>
  withFolder(async (folder) => {
    let dropped = 0;
    const rotation = { filesize: 1, durationSeconds: 10, packets: null, files: null };
    const statistics = () => [{ received: 0, dropped }];
    const path = join(folder, "r.pcapng");
    const recorder = new Recorder(path, options({ rotation, statistics }), new Date(0), 0);
    for (let i = 0; i < 4; i++) {
      dropped += i;
      recorder.add(0, packetOf(new Uint8Array(400)));
      if (recorder.isFull) recorder.rotate(new Date(0), 0);
    }
    await recorder.tick(new Date(0), 9_999);
    assert.equal(recorder.files, 2);
    await recorder.tick(new Date(0), 10_000);
    assert.equal(recorder.files, 3);
    await recorder.close();
    const files = readdirSync(folder)
      .sort()
      .map((name) => read(readFileSync(join(folder, name))));
    assert.deepEqual(
      files.map(({ packets, dropped: lost }) => [packets.length, lost]),
      [
        [3, 3],
        [1, 3],
        [0, 0],
      ],
    );
  }));

test("to a stream: bytes wait until they are flushed, and close sends the rest", async () => {
  const sent: Uint8Array[] = [];
  const target = async (pieces: Iterable<Uint8Array>) => void sent.push(...pieces);
  const recorder = new Recorder(target, options(), new Date(0), 0);
  let asked = 0;
  for (let i = 0; i < 300; i++) {
    if (!recorder.add(0, packetOf(new Uint8Array(1000)))) continue;
    asked++;
    await recorder.flush();
  }
  await recorder.close();
  assert.ok(asked >= 1);
  assert.equal(read(Buffer.concat(sent)).packets.length, 300);
});
