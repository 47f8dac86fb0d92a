/** A connection of a protocol, said in text, run through a Stream: what the tests of the protocols share. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Application } from "./application.js";
import { overTcp } from "./applications.js";
import type { MissedCount } from "./missed.js";
import { type Operation, Operations } from "./operations.js";
import { Stream, type StreamHost } from "./stream.js";

/** What one side sends, and when. */
export interface Said {
  readonly from: "client" | "server";
  /** Latin-1: a letter a byte. */
  readonly text: string;
  /** Microseconds; not given: one more than before. */
  readonly atUs?: number;
}

export interface FollowOptions {
  /** Bytes of a segment; not given: one segment for each thing said. */
  readonly segment?: number;
  /** Whether the handshake was seen. */
  readonly certain?: boolean;
  /** Numbers of segments that were not captured, counted from 0. */
  readonly missing?: ReadonlySet<number>;
  /** Whether a segment is acknowledged by the next of the other side. */
  readonly acknowledged?: boolean;
  /** The order in which the segments of one thing said come, by number; some may come twice. Not given: as they were sent. */
  readonly disorder?: (segments: number) => readonly number[];
  /** A side whose segments are captured so many microseconds before their time: two taps whose clocks differ, merged. */
  readonly early?: { readonly from: "client" | "server"; readonly byUs: number };
  /** Requests that may wait beyond the few that each connection has room for. */
  readonly room?: number;
  /** Sides that end in order (FIN) behind their last byte. */
  readonly finish?: readonly ("client" | "server")[];
}

export interface Followed {
  readonly operations: readonly Operation[];
  readonly application: string | null;
  readonly open: number;
  readonly gaps: number;
  readonly missed: readonly MissedCount[];
  /** Bytes still held back, and after the stream was closed: 0. */
  readonly heldBytes: number;
  readonly leakedBytes: number;
}

const ROOM = 1 << 20;

/** An order for FollowOptions.disorder: by `keys` in turn, every third segment twice. */
function disorderBy(keys: readonly number[]): (segments: number) => readonly number[] {
  let next = 0;
  const key = () => keys[next++ % keys.length] ?? 0;
  return (segments) =>
    Array.from({ length: segments }, (_, i) => i)
      .flatMap((i) => (i % 3 === 0 ? [i, i] : [i]))
      .map((i) => [key(), i] as const)
      .sort(([a], [b]) => a - b)
      .map(([, i]) => i);
}

/** Sends what is said, in order, and tells what was found. */
export function follow(
  applications: readonly Application[],
  script: readonly Said[],
  options: FollowOptions = {},
): Followed {
  const { segment = Number.POSITIVE_INFINITY, certain = true, missing = new Set() } = options;
  const host: StreamHost = {
    overTcp: overTcp(applications),
    operations: new Operations(),
    roomBytes: ROOM,
    gaps: 0,
    roomRequests: options.room ?? 1000,
  };
  const stream = new Stream(host, false, certain, () => 0);
  const next = { client: 0xffff_ff00, server: 1000 };
  if (certain) {
    stream.begin(false, next.client);
    stream.begin(true, next.server);
  }
  const events: { readonly timeUs: number; readonly tell: () => void }[] = [];
  let nowUs = 0;
  let number = 0;
  for (const { from, text, atUs } of script) {
    nowUs = atUs ?? nowUs + 1;
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const fromB = from === "server";
    const segments = Math.ceil(bytes.length / Math.min(segment, bytes.length || 1));
    for (const place of options.disorder?.(segments) ?? Array(segments).keys()) {
      const at = place === 0 ? 0 : place * segment;
      const part = bytes.slice(at, Math.min(bytes.length, at + segment));
      if (missing.has(number + place)) continue;
      const ack = fromB ? next.client : next.server;
      const seq = (next[from] + at) >>> 0;
      const timeUs = options.early?.from === from ? nowUs - options.early.byUs : nowUs;
      events.push({
        timeUs,
        tell: () => {
          if (options.acknowledged ?? true) stream.acknowledge(fromB, ack, timeUs);
          stream.send(fromB, seq, new DataView(part.buffer), 0, part.length, part.length, timeUs);
        },
      });
    }
    number += segments;
    next[from] = (next[from] + bytes.length) >>> 0;
  }
  if (options.early) events.sort((x, y) => x.timeUs - y.timeUs);
  for (const { tell } of events) tell();
  for (const from of options.finish ?? []) stream.finish(from === "server", next[from]);
  stream.settle();
  const { application, open } = stream;
  const heldBytes = ROOM - host.roomBytes;
  stream.close();
  return {
    operations: host.operations.list,
    application: application?.name ?? null,
    open,
    gaps: host.gaps,
    missed: host.operations.missed.list(),
    heldBytes,
    leakedBytes: ROOM - host.roomBytes,
  };
}

/** Checks that a side whose segments come before their time, as two merged taps have it, changes nothing of what `found` tells. */
export function checkSkew(
  conversation: fc.Arbitrary<readonly Said[]>,
  found: (script: readonly Said[], options?: FollowOptions) => unknown,
): void {
  fc.assert(
    fc.property(
      conversation,
      fc.integer({ min: 10, max: 90 }),
      fc.constantFrom("client" as const, "server" as const),
      fc.integer({ min: 2, max: 60_000 }),
      fc.integer({ min: 1, max: 6 }),
      (script, segment, from, stepUs, halves) => {
        // No further ahead than so few things said as may wait.
        const byUs = Math.ceil((stepUs * halves) / 2);
        const said = script.map((one, i) => ({ ...one, atUs: 1_000_000 + i * stepUs }));
        assert.deepEqual(found(said, { segment, early: { from, byUs } }), found(said));
      },
    ),
  );
}

/** Checks that the order in which a conversation's segments come, and how often, changes nothing of what `found` tells. */
export function checkDisorder(
  conversation: fc.Arbitrary<readonly Said[]>,
  found: (script: readonly Said[], options?: FollowOptions) => unknown,
): void {
  fc.assert(
    fc.property(
      conversation,
      fc.integer({ min: 16, max: 60 }),
      fc.array(fc.nat(1000), { minLength: 5, maxLength: 40 }),
      (script, segment, keys) =>
        assert.deepEqual(found(script, { segment, disorder: disorderBy(keys) }), found(script)),
    ),
  );
}
