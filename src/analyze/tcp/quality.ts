/** Reads the quality of a TCP connection from its packed state. */
import { Layout, Shared, Side, Trouble } from "../core/layout.js";
import { completeness, wasEstablished, zeekState } from "./state.js";
import { NO_TIME, type TcpStore } from "./store.js";

/** What one side of a connection sent. Times are microseconds. */
export interface EndQuality {
  /** Segments that take sequence numbers: data, SYN, FIN. */
  segments: number;
  /** All of them: after a time-out, fast and spurious. */
  retransmissions: number;
  fastRetransmissions: number;
  spuriousRetransmissions: number;
  outOfOrder: number;
  duplicateAcks: number;
  zeroWindows: number;
  zeroWindowUs: number;
  windowFull: number;
  keepAlives: number;
  /** Segments that the other side says it got twice. */
  duplicated: number;
  resets: number;
  /** Segments sent before one that was captured, and not captured themselves, in runs. */
  gaps: number;
  /** Mean time from sending to acknowledgement as seen where it was captured; null: none was measured. */
  rttUs: number | null;
}

/** A connection, or the last of several on the same ports, whose counts are summed. A cursor: see `readQuality`. */
export interface TcpQuality {
  /** Zeek's conn_state. */
  state: string;
  /** Wireshark's tcp.completeness. */
  completeness: number;
  connections: number;
  /** Of the connections: answered with a reset; not answered. */
  refused: number;
  unanswered: number;
  /** From the SYN to the ACK that ends the handshake, and of it up to the SYN's answer; null: not captured whole. */
  handshakeUs: number | null;
  serverHalfUs: number | null;
  /** When it was last reset, nanoseconds since the first packet; null: it was not. */
  lastResetNs: number | null;
  readonly orig: EndQuality;
  readonly reply: EndQuality;
}

/** An empty cursor. */
export function createQuality(): TcpQuality {
  return {
    state: "OTH",
    completeness: 0,
    connections: 0,
    refused: 0,
    unanswered: 0,
    handshakeUs: null,
    serverHalfUs: null,
    lastResetNs: null,
    orig: createEnd(),
    reply: createEnd(),
  };
}

/** What most sides say. */
const NO_TROUBLE = {
  retransmissions: 0,
  fastRetransmissions: 0,
  spuriousRetransmissions: 0,
  outOfOrder: 0,
  duplicateAcks: 0,
  zeroWindows: 0,
  zeroWindowUs: 0,
  windowFull: 0,
  keepAlives: 0,
  duplicated: 0,
  resets: 0,
  gaps: 0,
} as const;

function createEnd(): EndQuality {
  return { ...NO_TROUBLE, segments: 0, rttUs: null };
}

/** Reads connection `entry` into `health`; `origIsB`: side b began it. */
export function readQuality(
  health: TcpQuality,
  store: TcpStore,
  entry: number,
  origIsB: boolean,
): TcpQuality {
  const { words, doubles } = store;
  const at = entry * Layout.words;
  readEnd(origIsB ? health.reply : health.orig, store, entry, false);
  readEnd(origIsB ? health.orig : health.reply, store, entry, true);
  const state = words[at + Shared.state]!;
  health.state = zeekState(state, origIsB);
  health.completeness = completeness(state);
  health.connections = words[at + Shared.connections]!;
  const trouble = store.trouble(entry, false);
  const [refused, unanswered] =
    trouble < 0
      ? [0, 0]
      : [store.troubleWords[trouble + Trouble.refused]!, store.troubleWords[trouble + Trouble.unanswered]!];
  health.refused = refused + (health.state === "REJ" ? 1 : 0);
  health.unanswered = unanswered + (health.state === "S0" ? 1 : 0);
  const isEstablished = wasEstablished(state);
  const handshake = doubles[(at + Shared.handshake) >> 1]!;
  const serverHalf = doubles[(at + Shared.serverHalf) >> 1]!;
  const isWhole = isEstablished && handshake > 0 && serverHalf >= 0 && serverHalf <= handshake;
  health.handshakeUs = isWhole ? handshake / 1000 : null;
  health.serverHalfUs = isWhole ? serverHalf / 1000 : null;
  const isReset = health.orig.resets + health.reply.resets > 0;
  const lastReset = isReset ? store.troubleDoubles[(trouble + Trouble.lastReset) / 2]! : NO_TIME;
  health.lastResetNs = lastReset === NO_TIME ? null : lastReset;
  return health;
}

/** How many connections of entry `entry` were refused; `health.refused` alone. */
export function countRefused(store: TcpStore, entry: number, origIsB: boolean): number {
  const isRefused = zeekState(store.words[entry * Layout.words + Shared.state]!, origIsB) === "REJ";
  const trouble = store.trouble(entry, false);
  return (trouble < 0 ? 0 : store.troubleWords[trouble + Trouble.refused]!) + (isRefused ? 1 : 0);
}

/** When the last SYN of entry `entry` was sent, nanoseconds since the first packet; negative: it was not captured. */
export function synTimeNs({ doubles }: TcpStore, entry: number): number {
  return doubles[(entry * Layout.words + Shared.synTime) >> 1]!;
}

function readEnd(side: EndQuality, store: TcpStore, entry: number, isB: boolean): void {
  const { words, doubles, troubleWords, troubleDoubles } = store;
  const at = entry * Layout.words + (isB ? Layout.sideB : 0);
  side.segments = words[at + Side.segments]!;
  const trips = words[at + Side.roundTrips]!;
  side.rttUs = trips === 0 ? null : doubles[(at + Side.roundTripSum) >> 1]! / trips / 1000;
  const trouble = store.trouble(entry, isB);
  if (trouble < 0) {
    Object.assign(side, NO_TROUBLE);
    return;
  }
  side.fastRetransmissions = troubleWords[trouble + Trouble.fast]!;
  side.spuriousRetransmissions = troubleWords[trouble + Trouble.spurious]!;
  side.retransmissions =
    troubleWords[trouble + Trouble.retransmissions]! +
    side.fastRetransmissions +
    side.spuriousRetransmissions;
  side.outOfOrder = troubleWords[trouble + Trouble.outOfOrder]!;
  side.duplicateAcks = troubleWords[trouble + Trouble.duplicateAcks]!;
  side.zeroWindows = troubleWords[trouble + Trouble.zeroWindows]!;
  side.zeroWindowUs = troubleDoubles[(trouble + Trouble.zeroTime) / 2]! / 1000;
  side.windowFull = troubleWords[trouble + Trouble.windowFull]!;
  side.keepAlives = troubleWords[trouble + Trouble.keepAlives]!;
  side.duplicated = troubleWords[trouble + Trouble.duplicated]!;
  side.resets = troubleWords[trouble + Trouble.resets]!;
  side.gaps = troubleWords[trouble + Trouble.gaps]!;
}

/** From one end to the other and back: the mean of both parts, where both were measured. */
export function roundTripUs({ orig, reply }: TcpQuality): number | null {
  return orig.rttUs === null || reply.rttUs === null ? null : orig.rttUs + reply.rttUs;
}
