/** A connection of a protocol, said in text, run through a Stream: what the tests of the protocols share. */
import type { Application } from "./application.js";
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
  /** Sides that end in order (FIN) behind their last byte. */
  readonly finish?: readonly ("client" | "server")[];
}

export interface Followed {
  readonly operations: readonly Operation[];
  readonly application: string | null;
  readonly open: number;
  readonly gaps: number;
  /** Bytes still held back, and after the stream was closed: 0. */
  readonly heldBytes: number;
  readonly leakedBytes: number;
}

const ROOM = 1 << 20;

/** Sends what is said, in order, and tells what was found. */
export function follow(
  applications: readonly Application[],
  script: readonly Said[],
  options: FollowOptions = {},
): Followed {
  const { segment = Number.POSITIVE_INFINITY, certain = true, missing = new Set() } = options;
  const host: StreamHost = { applications, operations: new Operations(), roomBytes: ROOM, gaps: 0 };
  const stream = new Stream(host, false, certain, () => 0);
  const next = { client: 0xffff_ff00, server: 1000 };
  if (certain) {
    stream.begin(false, next.client);
    stream.begin(true, next.server);
  }
  let nowUs = 0;
  let number = 0;
  for (const { from, text, atUs } of script) {
    nowUs = atUs ?? nowUs + 1;
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const fromB = from === "server";
    for (let at = 0; at < bytes.length; at += segment) {
      const part = bytes.slice(at, Math.min(bytes.length, at + segment));
      if (!missing.has(number++)) {
        if (options.acknowledged ?? true) stream.acknowledge(fromB, fromB ? next.client : next.server);
        stream.send(fromB, next[from], new DataView(part.buffer), 0, part.length, part.length, nowUs);
      }
      next[from] = (next[from] + part.length) >>> 0;
    }
  }
  for (const from of options.finish ?? []) stream.finish(from === "server", next[from], nowUs);
  const { application, open } = stream;
  const heldBytes = ROOM - host.roomBytes;
  stream.close();
  return {
    operations: host.operations.list,
    application,
    open,
    gaps: host.gaps,
    heldBytes,
    leakedBytes: ROOM - host.roomBytes,
  };
}
