/**
 * Captures as a network makes them: classic pcap of Ethernet, IPv4, TCP and UDP. Connections open, acknowledge and close; checksums of IP are
 * right, those of TCP and UDP are left out, as captures show them where the network card computes them.
 */
import { closeSync, openSync, writeSync } from "node:fs";

/** Payload of a full segment. */
export const SEGMENT = 1448;

const RECORD = 16;
const ETHERNET = 14;
const IP = 20;
const TCP = 20;
const UDP = 8;
/** Seconds of 2023-11-14. */
const START = 1_700_000_000;
const WINDOW = 64_256;
const NOTHING = Buffer.alloc(0);

const enum Flag {
  fin = 0x01,
  syn = 0x02,
  reset = 0x04,
  push = 0x08,
  ack = 0x10,
}

/** Two ends: addresses and ports as numbers. */
export interface Ends {
  readonly client: number;
  readonly server: number;
  readonly clientPort: number;
  readonly serverPort: number;
}

/** A capture that is written frame by frame. Opens the file; `close` closes it. */
export class CaptureFile {
  packets = 0;
  /** Microseconds from the start to the next frame; each moves it on by `gapUs`. */
  us = 0;
  readonly #gapUs: number;
  readonly #fd: number;
  readonly #chunk = Buffer.alloc(1 << 20);
  #used = 24;

  constructor(path: string, gapUs: number) {
    this.#gapUs = gapUs;
    this.#fd = openSync(path, "w", 0o600);
    this.#chunk.writeUInt32LE(0xa1b2c3d4, 0);
    this.#chunk.writeUInt16LE(2, 4);
    this.#chunk.writeUInt16LE(4, 6);
    this.#chunk.writeUInt32LE(262_144, 16);
    this.#chunk.writeUInt32LE(1, 20);
  }

  /** Writes headers up to IP's, and the payload behind `header` bytes, which are zero. Gives the chunk and where those begin: until the next call. */
  write(
    protocol: number,
    from: number,
    to: number,
    header: number,
    payload: Buffer,
  ): { into: Buffer; at: number } {
    const us = this.us;
    this.us += this.#gapUs;
    const length = ETHERNET + IP + header + payload.length;
    if (this.#used + RECORD + length > this.#chunk.length) this.#flush();
    const into = this.#chunk;
    const record = this.#used;
    this.#used += RECORD + length;
    this.packets++;
    into.fill(0, record, this.#used - payload.length);
    into.writeUInt32LE(START + Math.floor(us / 1e6), record);
    into.writeUInt32LE(us % 1_000_000, record + 4);
    into.writeUInt32LE(length, record + 8);
    into.writeUInt32LE(length, record + 12);
    const ip = record + RECORD + ETHERNET;
    into.writeUInt16BE(0x0800, ip - 2);
    into.writeUInt16BE(0x4500, ip);
    into.writeUInt16BE(length - ETHERNET, ip + 2);
    into.writeUInt16BE(0x4000, ip + 6);
    into.writeUInt16BE(0x4000 + protocol, ip + 8);
    into.writeUInt32BE(from, ip + 12);
    into.writeUInt32BE(to, ip + 16);
    let sum = 0x4500 + (length - ETHERNET) + 0x4000 + 0x4000 + protocol;
    sum += (from >>> 16) + (from & 0xffff) + (to >>> 16) + (to & 0xffff);
    sum = (sum & 0xffff) + (sum >>> 16);
    into.writeUInt16BE(~((sum & 0xffff) + (sum >>> 16)) & 0xffff, ip + 10);
    payload.copy(into, this.#used - payload.length);
    return { into, at: ip + IP };
  }

  close(): void {
    this.#flush();
    closeSync(this.#fd);
  }

  #flush(): void {
    writeSync(this.#fd, this.#chunk, 0, this.#used);
    this.#used = 0;
  }
}

/** A TCP connection. Each call writes one segment, or as many as the payload fills. */
export class Connection {
  readonly #file: CaptureFile;
  readonly #ends: Ends;
  /** The next sequence numbers of client and server. */
  readonly #next: [number, number];

  /** The first sequence numbers follow from `number`, so that no two connections begin alike. */
  constructor(file: CaptureFile, ends: Ends, number: number) {
    this.#file = file;
    this.#ends = ends;
    this.#next = [Math.imul(number, 0x9e3779b1) >>> 0, Math.imul(number + 1, 0x85ebca6b) >>> 0];
  }

  /** The handshake, from one of its steps on: 0 the client's SYN, 1 the answer, 2 the acknowledgement. */
  open(from = 0, to = 2): void {
    for (let step = from; step <= to; step++)
      this.#segment(step === 1, [Flag.syn, Flag.syn | Flag.ack, Flag.ack][step]!, NOTHING);
  }

  /** The server does not serve the port: what answers a SYN. */
  refuse(): void {
    this.#segment(true, Flag.reset | Flag.ack, NOTHING);
  }

  acknowledge(reply: boolean): void {
    this.#segment(reply, Flag.ack, NOTHING);
  }

  /** The client closes, the server too, from one of the three steps on. */
  close(from = 0, to = 2): void {
    for (let step = from; step <= to; step++)
      this.#segment(step === 1, step === 2 ? Flag.ack : Flag.fin | Flag.ack, NOTHING);
  }

  /** Every second full segment is acknowledged, as RFC 9293 asks. */
  say(reply: boolean, payload: Buffer): void {
    for (let at = 0, full = 0; at < payload.length; at += SEGMENT) {
      const isLast = at + SEGMENT >= payload.length;
      this.#segment(reply, isLast ? Flag.ack | Flag.push : Flag.ack, payload.subarray(at, at + SEGMENT));
      if (++full % 2 === 0 && !isLast) this.acknowledge(!reply);
    }
  }

  #segment(reply: boolean, flags: Flag, payload: Buffer): void {
    const { client, server, clientPort, serverPort } = this.#ends;
    const own = reply ? 1 : 0;
    const { into, at } = reply
      ? this.#file.write(6, server, client, TCP, payload)
      : this.#file.write(6, client, server, TCP, payload);
    into.writeUInt16BE(reply ? serverPort : clientPort, at);
    into.writeUInt16BE(reply ? clientPort : serverPort, at + 2);
    into.writeUInt32BE(this.#next[own], at + 4);
    if (flags & Flag.ack) into.writeUInt32BE(this.#next[1 - own]!, at + 8);
    into.writeUInt16BE(0x5000 | flags, at + 12);
    into.writeUInt16BE(flags & Flag.reset ? 0 : flags & Flag.syn ? 64_240 : WINDOW, at + 14);
    const counted = payload.length + (flags & (Flag.syn | Flag.fin) ? 1 : 0);
    this.#next[own] = (this.#next[own] + counted) >>> 0;
  }
}

/** Writes one UDP datagram. */
export function writeDatagram(
  file: CaptureFile,
  reply: boolean,
  { client, server, clientPort, serverPort }: Ends,
  payload: Buffer,
): void {
  const { into, at } = reply
    ? file.write(17, server, client, UDP, payload)
    : file.write(17, client, server, UDP, payload);
  into.writeUInt16BE(reply ? serverPort : clientPort, at);
  into.writeUInt16BE(reply ? clientPort : serverPort, at + 2);
  into.writeUInt16BE(UDP + payload.length, at + 4);
}
