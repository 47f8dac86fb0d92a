/** The captures that benches are measured on. The same call always writes the same bytes. */
import { CaptureFile, Connection, type Ends, SEGMENT, writeDatagram } from "./frames.js";
import { clientHello, type Protocol, serverHello, Talk, tlsRecord } from "./payloads.js";

/** Gives numbers from 0 to 1, below 1, always in the same order (xorshift32). */
export function seeded(seed = 12_345): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const PORTS = [80, 3000, 5000, 6379, 5432] as const;

/** The same ends at each call with one number; up to some hundred million different ones. */
function endsOf(number: number): Ends {
  return {
    client: 0x0a00_0000 + 256 + (number % 4000),
    server: 0x0a00_0000 + 10 * (1 + (number % 12)),
    clientPort: 32_768 + (Math.floor(number / 4000) % 28_000),
    serverPort: PORTS[number % PORTS.length]!,
  };
}

export interface FlowShape {
  readonly packets: number;
  readonly conversations: number;
  /** Bytes of payload in a packet, on the average. */
  readonly payload: number;
  /** Whether every conversation opens, if it has not, and closes before the capture ends. */
  readonly closes: boolean;
}

/**
 * Conversations that take turns at random, four of five of TCP. One opens, then asks, is answered and acknowledges for as long as there is
 * room.
 */
export function writeFlows(path: string, { packets, conversations, payload, closes }: FlowShape): void {
  const file = new CaptureFile(path, 7);
  const random = seeded();
  const ofTcp = Buffer.alloc(Math.round(payload * 1.5), 0xb7);
  const ofUdp = Buffer.alloc(payload, 0xb7);
  const turns = Array.from({ length: conversations }, (_, number) =>
    number % 5 === 4
      ? datagrams(file, endsOf(number), ofUdp)
      : segments(new Connection(file, endsOf(number), number), ofTcp),
  );
  const closing = closes ? 3 * conversations : 0;
  while (file.packets < packets - closing) turns[Math.floor(random() * conversations)]!(false);
  if (closes) for (const turn of turns) turn(true);
  file.close();
}

/** Writes a packet at each call; at the last one what it takes to come to an end. */
type Turn = (last: boolean) => void;

function datagrams(file: CaptureFile, ends: Ends, payload: Buffer): Turn {
  let turn = 0;
  return () => writeDatagram(file, turn++ % 2 === 1, ends, payload);
}

function segments(connection: Connection, payload: Buffer): Turn {
  let turn = 0;
  return (last) => {
    if (last) {
      if (turn < 3) connection.open(turn);
      connection.close();
    } else if (turn < 3) connection.open(turn, turn);
    else if (turn % 3 === 2 || payload.length === 0) connection.acknowledge(turn % 3 === 1);
    else connection.say(turn % 3 === 1, payload);
    turn++;
  };
}

/** Conversations of these protocols take turns, each with as many exchanges as the others. */
export function writeTalks(
  path: string,
  protocols: readonly Protocol[],
  conversations: number,
  exchanges: number,
): void {
  const file = new CaptureFile(path, 11);
  const talks = Array.from({ length: conversations }, (_, number) => {
    const protocol = protocols[number % protocols.length]!;
    return new Talk(file, { ...endsOf(number), serverPort: protocol.port }, protocol, number);
  });
  for (const talk of talks) talk.open();
  for (let n = 0; n < exchanges; n++) talks[n % conversations]!.exchange(n);
  for (const talk of talks) talk.close();
  file.close();
}

/** A million and more addresses ask one server for a connection, twice the packets of one client that has one. */
export function writeFlood(path: string, addresses: number): void {
  const file = new CaptureFile(path, 7);
  const server = 0x0a00_0001;
  const heavy = new Connection(file, { client: 0x0a00_0002, server, clientPort: 40_000, serverPort: 80 }, 0);
  const piece = Buffer.alloc(100, 0xb7);
  heavy.open();
  for (let i = 0; i < addresses; i++) {
    // Times an odd number: every address of 11.0.0.0/8 once, in no order.
    const client = 0x0b00_0000 + (Math.imul(i, 0x9e3779b1) & 0xff_ffff);
    const ends = { client, server, clientPort: 1024 + (i % 60_000), serverPort: 80 };
    new Connection(file, ends, i).open(0, 1);
    if (i % 2 === 0) heavy.say(false, piece);
    else heavy.acknowledge(true);
  }
  heavy.close();
  file.close();
}

/**
 * How long flows are, in packets, and what share of all flows, packets and octets those up to there have, in percent: four billion flows
 * of a campus' link to the Internet, its dormitories among them. Of the flows 43 % are of UDP, with 16 % of the packets.
 * Source: P. Jurkiewicz, G. Rzym, P. Borylo, "Flow length and size distributions in campus Internet traffic", Computer Communications 167
 * (2021), arXiv:1809.03486; the table of its data set agh_2015. The ten-thousandth that is longer is left out.
 * The source counts each direction as a flow; here both make one.
 */
const FLOW_LENGTHS = [
  { packets: 0, flowsShare: 0, packetsShare: 0, octetsShare: 0 },
  { packets: 1, flowsShare: 47.8326, packetsShare: 0.6087, octetsShare: 0.1047 },
  { packets: 2, flowsShare: 65.3421, packetsShare: 1.0544, octetsShare: 0.1728 },
  { packets: 4, flowsShare: 74.8933, packetsShare: 1.4696, octetsShare: 0.2537 },
  { packets: 8, flowsShare: 84.1319, packetsShare: 2.1958, octetsShare: 0.4412 },
  { packets: 10, flowsShare: 86.5086, packetsShare: 2.4832, octetsShare: 0.5343 },
  { packets: 100, flowsShare: 97.3478, packetsShare: 6.3895, octetsShare: 2.4322 },
  { packets: 1000, flowsShare: 99.4544, packetsShare: 14.3271, octetsShare: 8.0737 },
  { packets: 10_000, flowsShare: 99.8922, packetsShare: 30.3569, octetsShare: 22.8925 },
  { packets: 100_000, flowsShare: 99.9896, packetsShare: 67.899, octetsShare: 61.0966 },
] as const;
const MEAN_OCTETS = 870.607;
/** Shares of UDP in flows of at most ten packets and in longer ones that make the published shares of all. */
const UDP_SHORT = 0.48;
const UDP_LONG = 0.16;

interface Flow {
  readonly packets: number;
  /** Octets of IP in a packet, on the average. */
  readonly octets: number;
  readonly isUdp: boolean;
}

/**
 * Traffic with the shape of a campus' link: lengths, sizes and protocols of flows after FLOW_LENGTHS. Flows begin at random in a minute;
 * the times between packets of a flow are lognormal, as T. Benson, A. Akella, D. Maltz found, "Network traffic characteristics of data
 * centers in the wild", IMC 2010.
 */
export function writeReal(path: string, packets: number): void {
  const random = seeded();
  const flows = drawFlows(packets, random);
  const total = flows.reduce((sum, flow) => sum + flow.packets, 0);
  // Time and flow in one number: sorted, they are the packets in order.
  const arrivals = new Float64Array(total);
  let filled = 0;
  for (const [number, flow] of flows.entries()) {
    let us = Math.floor(random() * 60e6);
    const scaleUs = Math.min(5000, 20e6 / flow.packets);
    for (let i = 0; i < flow.packets; i++) {
      arrivals[filled++] = us * flows.length + number;
      us += Math.ceil(scaleUs * Math.exp(1.5 * normal(random)));
    }
  }
  arrivals.sort();
  const file = new CaptureFile(path, 0);
  const turns = flows.map((flow, number) => turnsOf(file, flow, number, random));
  for (const arrival of arrivals) {
    const number = arrival % flows.length;
    file.us = (arrival - number) / flows.length;
    turns[number]!(false);
  }
  file.close();
}

function drawFlows(packets: number, random: () => number): Flow[] {
  const flows: Flow[] = [];
  const all = FLOW_LENGTHS.at(-1)!.flowsShare;
  for (let left = packets; left > 0; ) {
    const share = random() * all;
    const i = FLOW_LENGTHS.findIndex(({ flowsShare }) => share < flowsShare);
    const [below, upTo] = [FLOW_LENGTHS[i - 1]!, FLOW_LENGTHS[i]!];
    const ratio = upTo.packets / (below.packets + 1);
    const length = Math.min(left, Math.round((below.packets + 1) * ratio ** random()));
    const perPacket = (upTo.octetsShare - below.octetsShare) / (upTo.packetsShare - below.packetsShare);
    const isUdp = random() < (length <= 10 ? UDP_SHORT : UDP_LONG);
    flows.push({ packets: length, octets: perPacket * MEAN_OCTETS, isUdp });
    left -= length;
  }
  return flows;
}

function turnsOf(file: CaptureFile, flow: Flow, number: number, random: () => number): Turn {
  const ends = { ...endsOf(number), serverPort: 443 };
  if (flow.isUdp) return datagrams(file, ends, Buffer.alloc(Math.round(flow.octets) - 28, 0xb7));
  const connection = new Connection(file, ends, number);
  const [hello, answer, ask, give] = [
    clientHello("shop.example"),
    serverHello(),
    tlsRecord(23, "q".repeat(250)),
    tlsRecord(23, "r".repeat(SEGMENT - 5)),
  ].map((record) => Buffer.from(record, "latin1")) as [Buffer, Buffer, Buffer, Buffer];
  // Full segments and acknowledgements, so many of each that their mean is the flow's.
  const full = (flow.octets - 60) / (SEGMENT - 20);
  const closes = flow.packets >= 7;
  let turn = 0;
  let isOwed = false;
  return () => {
    const left = flow.packets - turn;
    if (flow.packets === 2 && turn === 1) connection.refuse();
    else if (turn < 3) connection.open(turn, turn);
    else if (closes && left <= 3) connection.close(3 - left, 3 - left);
    else if (turn === 3) connection.say(false, hello);
    else if (turn === 4 || random() < full) {
      connection.say(true, turn === 4 ? answer : give);
      isOwed = true;
    } else if (isOwed) {
      connection.acknowledge(false);
      isOwed = false;
    } else connection.say(false, ask);
    turn++;
  };
}

/** A number of the standard normal distribution (Box, Muller). */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
