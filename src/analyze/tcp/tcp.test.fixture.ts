/** TCP segments between two hosts, said in few words: what the tests of the TCP analysis share. */
import {
  A4,
  asPacket,
  B4,
  ethernet,
  ipv4,
  join,
  type SamplePacket,
  u8,
  u16,
  u32,
} from "../../capture/file/sample.test.fixture.js";
import { Analyzer } from "../analyzer.js";
import { createQuality, readQuality, type TcpQuality } from "./quality.js";

/** One segment. Sequence numbers are as on the wire, times microseconds. */
export interface Segment {
  readonly from: "client" | "server";
  /** Letters of the flags: `S`, `SA`, `A`, `FA`, `R`, `RA`. */
  readonly flags: string;
  readonly seq: number;
  readonly ack?: number;
  /** Bytes it carries. */
  readonly length?: number;
  readonly window?: number;
  readonly atUs: number;
  readonly options?: Uint8Array;
  readonly clientPort?: number;
}

const FLAGS: Readonly<Record<string, number>> = { F: 1, S: 2, R: 4, P: 8, A: 16 };
/** When microsecond 0 of the segments is. */
const START_US = 1_700_000_000_000_000;
const SERVER_PORT = 80;
const CLIENT_PORT = 40_000;

/** The frame of a segment. The client is 10.1.1.1, the server 10.1.1.2, port 80. */
export function frameOf(segment: Segment): SamplePacket {
  const { from, flags, seq, ack = 0, length = 0, window = 1000, atUs, options = new Uint8Array(0) } = segment;
  const isClient = from === "client";
  const ports = [segment.clientPort ?? CLIENT_PORT, SERVER_PORT] as const;
  const bits = [...flags].reduce((sum, letter) => sum + FLAGS[letter]!, 0);
  const header = join(
    u16(isClient ? ports[0] : ports[1]),
    u16(isClient ? ports[1] : ports[0]),
    u32(seq >>> 0),
    u32(ack >>> 0),
    u8(((20 + options.length) / 4) << 4, bits),
    u16(window),
    u32(0),
    options,
  );
  const payload = new Uint8Array(length).fill(0x78);
  const ends = isClient ? { source: A4, destination: B4 } : { source: B4, destination: A4 };
  return { timeUs: START_US + atUs, bytes: ethernet(ipv4(join(header, payload), { protocol: 6, ...ends })) };
}

/** An analyzer that has taken the segments. */
export function analyze(segments: readonly Segment[]): Analyzer {
  const analyzer = new Analyzer();
  for (const segment of segments) analyzer.add(asPacket(frameOf(segment)));
  return analyzer;
}

/** How the only connection of the segments fared. */
export function qualityOf(segments: readonly Segment[]): TcpQuality {
  const { flows, inspector } = analyze(segments);
  const connection = inspector.connectionOf(flows.link(0), flows.protocolKey(0));
  return readQuality(createQuality(), inspector.tcp, connection, flows.isBegunByB(0));
}

/** A handshake: the server answers after 100 us, the client after 50 more. Both count from 1001 and 5001 afterwards. */
export const HANDSHAKE: readonly Segment[] = [
  { from: "client", flags: "S", seq: 1000, atUs: 0 },
  { from: "server", flags: "SA", seq: 5000, ack: 1001, atUs: 100 },
  { from: "client", flags: "A", seq: 1001, ack: 5001, atUs: 150 },
];
