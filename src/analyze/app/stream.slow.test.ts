import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Application,
  type Dialogue,
  Looks,
  MAX_HELD,
  type OverTcp,
  Read,
  Strictness,
} from "./application.js";
import { overTcp } from "./applications.js";
import type { Exchanges } from "./exchanges.js";
import { Operations } from "./operations.js";
import { Stream, type StreamHost } from "./stream.js";

/**
 * A protocol of its own for these tests: a letter, a digit, so many bytes of body, which are passed over. Capital letters ask, small
 * ones answer; `!` says that nothing more matters.
 */
const LETTERS: OverTcp = {
  isPipelined: false,
  looks(view, at, end) {
    const letter = view.getUint8(at);
    if (end - at < 2) return isLetter(letter) ? Looks.short : Looks.no;
    if (!isLetter(letter) || !isDigit(view.getUint8(at + 1))) return Looks.no;
    return letter < 0x61 ? Looks.request : Looks.response;
  },
  open: (exchanges) => new Letters(exchanges),
};

function spoken(over: OverTcp): Application {
  return {
    name: "redis",
    title: "Redis",
    strictness: Strictness.lax,
    transports: { tcp: over },
    requests: null,
  };
}

function isLetter(byte: number): boolean {
  return (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

class Letters implements Dialogue {
  readonly #exchanges: Exchanges;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number): number {
    const letter = view.getUint8(at);
    if (letter === 0x21) return Read.enough;
    if (!isLetter(letter)) return Read.broken;
    if (end - at < 2) return Read.more;
    const digit = view.getUint8(at + 1);
    if (!isDigit(digit)) return Read.broken;
    if (fromClient) this.#exchanges.request(Uint8Array.of(letter), 1, firstUs, digit - 46);
    else this.#exchanges.answer(firstUs, letter - 0x60, false, digit - 46);
    return digit - 46;
  }

  lost(): void {}

  end(): void {}
}

const ROOM = 1 << 20;

class Wire {
  readonly host: StreamHost;
  readonly stream: Stream;

  constructor(certain = true, protocols: readonly OverTcp[] = [LETTERS], room = ROOM) {
    this.host = {
      overTcp: overTcp(protocols.map(spoken)),
      operations: new Operations(),
      roomBytes: room,
      gaps: 0,
      roomRequests: 1000,
    };
    this.stream = new Stream(this.host, false, certain, () => 0);
    if (!certain) return;
    this.stream.begin(false, CLIENT);
    this.stream.begin(true, SERVER);
  }

  /** Sends `text` from byte `offset` of a side on; of it `caplen` bytes were captured. */
  send(from: "client" | "server", offset: number, text: string, atUs = 0, caplen = text.length): void {
    const view = new DataView(Uint8Array.from(text, (letter) => letter.charCodeAt(0)).buffer);
    const fromB = from === "server";
    this.stream.send(fromB, ((fromB ? SERVER : CLIENT) + offset) >>> 0, view, 0, caplen, text.length, atUs);
  }

  /** A side says that it has so many bytes. */
  acknowledge(from: "client" | "server", bytes: number, atUs = 0): void {
    const fromB = from === "server";
    this.stream.acknowledge(fromB, ((fromB ? CLIENT : SERVER) + bytes) >>> 0, atUs);
  }

  /** `letter requests/answered/lost outcomes` */
  get found(): readonly string[] {
    return this.host.operations.list.map(
      (of) => `${of.name} ${of.requests}/${of.answered}/${of.lost} ${[...of.outcomes.keys()].join(",")}`,
    );
  }
}

/** Just before the sequence numbers wrap. */
const CLIENT = 0xffff_fffa;
const SERVER = 7;
/** So long bytes may be late that were acknowledged. */
const LATE = 200_000;

test("a segment that came too early waits for the one before it, over the end of the sequence numbers too", () => {
  const wire = new Wire();
  wire.send("client", 4, "B2xxC0", 20);
  assert.deepEqual(wire.found, []);
  wire.send("client", 0, "A2xx", 30);
  wire.send("server", 0, "a0b0c0", 40);
  assert.deepEqual(wire.found, ["A 1/1/0 1", "B 1/1/0 2", "C 1/1/0 3"]);
  assert.deepEqual(
    wire.host.operations.list.map((of) => of.durations.quantileUs(1)),
    [10, 20, 20],
  );
});

test("what comes twice is read once, wholly or in part", () => {
  const wire = new Wire();
  for (const [offset, text] of [
    [0, "A2xx"],
    [0, "A2xx"],
    [2, "xxB0"],
    [0, "A2xxB0C0"],
    [7, ""],
  ] as const)
    wire.send("client", offset, text);
  wire.send("client", 8, "D0");
  assert.deepEqual(
    wire.found.map((line) => line.slice(0, 3)),
    ["A 1", "B 1", "C 1", "D 1"],
  );
});

test("bytes acknowledged but never seen are a gap: counted, what waited is lost, and the next message is looked for", () => {
  const wire = new Wire();
  wire.send("client", 0, "A0");
  wire.send("server", 0, "a0");
  wire.send("client", 2, "B0");
  wire.send("client", 6, "x2D0"); // C0 and the beginning of a message are missing
  wire.send("client", 10, "E0");
  assert.equal(wire.host.gaps, 0);
  wire.acknowledge("server", 12, 0);
  assert.equal(wire.host.gaps, 0);
  wire.acknowledge("server", 12, LATE);
  assert.equal(wire.host.gaps, 1);
  wire.send("server", 2, "b0c0");
  wire.send("client", 12, "F0");
  wire.send("server", 6, "f0");
  assert.deepEqual(wire.found, ["A 1/1/0 1", "B 1/0/1 ", "E 1/0/1 ", "F 1/1/0 6"]);
});

test("bytes that the dialogue passes over may be missing, and so may bytes that the capture cut off", () => {
  const missing = new Wire();
  missing.send("client", 0, "A9xx");
  missing.send("client", 8, "xxxB0");
  missing.acknowledge("server", 13, 0);
  missing.acknowledge("server", 13, LATE);
  assert.deepEqual([missing.found.length, missing.host.gaps], [2, 0]);
  const cut = new Wire();
  cut.send("client", 0, "A9xxxxxxxxx", 0, 5);
  cut.send("client", 11, "B0");
  assert.deepEqual([cut.found.length, cut.host.gaps], [2, 0]);
  cut.send("client", 13, "C0D0", 0, 3);
  cut.send("client", 17, "E0");
  assert.deepEqual([cut.found.length, cut.host.gaps], [4, 1]);
});

test("what answers bytes that are late waits for them, and is shown behind them in its own time", () => {
  const wire = new Wire();
  wire.acknowledge("server", 2, 10);
  wire.send("server", 0, "a0", 10);
  assert.deepEqual(wire.found, []);
  wire.acknowledge("client", 0, 30);
  wire.send("client", 0, "A0", 30);
  assert.deepEqual(wire.found, ["A 1/1/0 1"]);
  // By the taps' clocks it was answered before it was asked: how long it took is not known.
  assert.equal(wire.host.operations.list[0]!.durations.quantileUs(1), null);
  assert.equal(wire.host.gaps, 0);
});

test("what never comes is a gap once it was late for too long, or nothing comes any more", () => {
  const end = (wire: Wire) => wire.stream.close();
  const later = (wire: Wire) => wire.stream.expire(LATE + 10);
  const soon = (wire: Wire) => wire.stream.expire(LATE + 9);
  for (const [what, gaps] of [
    [end, 1],
    [later, 1],
    [soon, 0],
  ] as const) {
    const wire = new Wire();
    wire.send("client", 0, "A0", 0);
    wire.send("server", 0, "a0", 0);
    wire.acknowledge("server", 4, 10);
    wire.send("server", 2, "b0", 10);
    what(wire);
    assert.equal(wire.host.gaps, gaps);
    const missed = gaps === 0 ? [] : [{ application: "redis", reason: "gap in the capture", count: 1 }];
    assert.deepEqual(wire.host.operations.missed.list(), missed);
  }
});

test("without times, and behind a gap, nothing is waited for", () => {
  const timeless = new Wire();
  timeless.acknowledge("server", 2, Number.NaN);
  assert.equal(timeless.host.operations.missed.list().length, 0);
  timeless.send("client", 2, "B0", Number.NaN);
  timeless.send("server", 0, "b0", Number.NaN);
  assert.deepEqual(timeless.found, ["B 1/1/0 2"]);
  // One side alone: each request is seen at once, and what came of it is not known.
  const half = new Wire();
  for (let i = 0; i < 100; i++) {
    half.acknowledge("client", 2 * i, i * LATE);
    half.send("client", 2 * i, "A0", i * LATE);
  }
  half.stream.settle();
  assert.deepEqual(half.found, ["A 100/0/99 "]);
});

test("segments that wait for each other (no real connection has them) are shown in the end", () => {
  const wire = new Wire();
  wire.acknowledge("client", 2, 0);
  wire.send("client", 0, "A0", 0);
  wire.acknowledge("server", 2, 1);
  wire.send("server", 0, "a0", 1);
  assert.deepEqual(wire.found, []);
  wire.stream.settle();
  assert.deepEqual(wire.found, ["A 1/0/0 "]);
  wire.stream.close();
  assert.equal(wire.host.roomBytes, ROOM);
});

test("too much that waits makes a gap of what is missing; nothing is held beyond the room there is", () => {
  const wire = new Wire();
  wire.send("client", 0, "A0");
  for (let i = 0; i < 65; i++) wire.send("client", 4 + 2 * i, "C0");
  assert.equal(wire.host.gaps, 1);
  assert.equal(wire.host.operations.list.at(-1)!.requests, 65);
  const poor = new Wire(true, [LETTERS], 10);
  poor.send("client", 0, "A0");
  poor.send("client", 100, "B9".padEnd(11, "x"));
  assert.equal(poor.host.gaps, 1);
  assert.equal(poor.host.roomBytes, 10);
});

test("a capture that begins within a connection: the content shows which side is the client", () => {
  const wire = new Wire(false);
  wire.send("client", 50, "??");
  wire.send("client", 52, "a0");
  wire.send("server", 90, "B0");
  wire.send("client", 54, "b0");
  assert.equal(wire.stream.application?.name, "redis");
  assert.deepEqual(wire.found, ["B 1/1/0 2"]);
});

test("an unknown protocol is given up at once, or after some segments if the beginning was not captured", () => {
  const wire = new Wire();
  wire.send("client", 0, "??");
  assert.equal(wire.stream.done, true);
  const midway = new Wire(false);
  for (let i = 0; i < 40; i++) {
    midway.send("client", 2 * i, "??");
    midway.send("server", 2 * i, "??");
  }
  assert.equal(midway.stream.done, true);
});

test("after Read.enough of both sides nothing more is wanted", () => {
  const wire = new Wire();
  wire.send("client", 0, "A0!B0");
  assert.equal(wire.stream.done, false);
  wire.send("server", 0, "a0!");
  assert.equal(wire.stream.done, true);
  assert.deepEqual(wire.found, ["A 1/1/0 1"]);
});

test("a message too large to hold ends the following and is not kept", () => {
  const endless: OverTcp = {
    ...LETTERS,
    open: () => ({ read: () => Read.more, lost: () => {}, end: () => {} }),
  };
  const wire = new Wire(true, [endless]);
  for (let at = 0; at < MAX_HELD + 1000; at += 1000) wire.send("client", at, "A0".padEnd(1000));
  assert.equal(wire.stream.done, true);
  assert.equal(wire.host.roomBytes, ROOM);
});

/** Rounds of requests and their answers; then each side cut into segments, in an order and with repetitions as networks have them. */
const rounds = fc.array(fc.array(fc.nat(9), { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });
const chaos = fc.array(
  fc.record({ size: fc.integer({ min: 1, max: 6 }), early: fc.nat(3), again: fc.nat(4), back: fc.nat(5) }),
  { minLength: 40, maxLength: 40 },
);

interface Piece {
  readonly offset: number;
  readonly text: string;
}

function say(letters: string, digits: readonly number[], first: number): string {
  return digits.map((digit, i) => `${letters[(first + i) % 26]}${digit}${"?".repeat(digit)}`).join("");
}

/** Cuts one flight into segments; some come earlier than those before them, some again, with what was before them. */
function disturb(
  text: string,
  offset: number,
  rolls: readonly (typeof chaos extends fc.Arbitrary<infer T> ? T : never)[number][],
): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0, i = 0; at < text.length; i++) {
    const { size, early, again, back } = rolls[i % rolls.length]!;
    const piece = { offset: offset + at, text: text.slice(at, at + size) };
    pieces.splice(Math.max(0, pieces.length - early), 0, piece);
    const from = Math.max(0, at - back);
    if (again === 0) pieces.push({ offset: offset + from, text: text.slice(from, at + size) });
    at += size;
  }
  return pieces;
}

test("property: the order and repetition of segments change nothing of what is found", () => {
  fc.assert(
    fc.property(rounds, chaos, (all, rolls) => {
      const [plain, wild] = [new Wire(), new Wire()];
      let [n, clientAt, serverAt] = [0, 0, 0];
      all.forEach((digits, i) => {
        const requests = say("ABCDEFGHIJKLMNOPQRSTUVWXYZ", digits, n);
        const answers = say("abcdefghijklmnopqrstuvwxyz", digits, n);
        plain.send("client", clientAt, requests, i);
        plain.send("server", serverAt, answers, i);
        for (const { offset, text } of disturb(requests, clientAt, rolls))
          wild.send("client", offset, text, i);
        wild.acknowledge("server", clientAt + requests.length);
        for (const { offset, text } of disturb(answers, serverAt, rolls))
          wild.send("server", offset, text, i);
        wild.acknowledge("client", serverAt + answers.length);
        n += digits.length;
        clientAt += requests.length;
        serverAt += answers.length;
      });
      assert.deepEqual(wild.host.operations.list, plain.host.operations.list);
      assert.deepEqual([wild.host.gaps, wild.stream.open], [0, 0]);
      wild.stream.close();
      assert.equal(wild.host.roomBytes, ROOM);
    }),
    { numRuns: 300 },
  );
});

test("property: any segments and acknowledgements leave nothing held behind after the end", () => {
  const piece = fc.record({
    from: fc.constantFrom("client" as const, "server" as const),
    what: fc.constantFrom("send", "acknowledge", "finish"),
    offset: fc.oneof(fc.nat(60), fc.constantFrom(0x7fff_ffff, 0x8000_0000)),
    text: fc.string({ unit: fc.constantFrom("A", "b", "0", "3", "!"), maxLength: 9 }),
    cut: fc.nat(3),
  });
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 40 }),
      fc.boolean(),
      fc.constantFrom(20, ROOM),
      (all, certain, room) => {
        const wire = new Wire(certain, [LETTERS], room);
        for (const { from, what, offset, text, cut } of all) {
          if (what === "acknowledge") wire.acknowledge(from, offset);
          else if (what === "finish") wire.stream.finish(from === "server", offset);
          else wire.send(from, offset, text, 0, Math.max(0, text.length - cut));
          assert.ok(wire.host.roomBytes >= 0);
        }
        wire.stream.close();
        assert.equal(wire.host.roomBytes, room);
        for (const of of wire.host.operations.list) assert.ok(of.answered + of.lost <= of.requests);
      },
    ),
    { numRuns: 1000 },
  );
});
