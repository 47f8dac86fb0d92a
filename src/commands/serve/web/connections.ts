/** The sockets of the web server: each has a place for a limited time. Without a free place the least useful connection is cut off. */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { sourceOf } from "./source-address.js";

/** Why connections are cut off, as a closed set for the metric. */
export const CUTS = ["handshake", "idle", "no_room", "refused", "unfinished", "unread"] as const;
export type Cut = (typeof CUTS)[number];

const MAX_CONNECTIONS = 256;
/** All but a quarter: a crowd behind one address leaves places for others. */
const MAX_OF_SOURCE = 192;
/** Bytes of answers that clients have not taken yet, over all connections, when another is made. */
const MAX_UNREAD_BYTES = 64 * 1024 * 1024;
/** Requests of one connection that are answered at once: Prometheus sends one and waits. */
const MAX_AHEAD = 8;
const HANDSHAKE_MS = 5_000;
/** Time for a refused client to read the reason. */
const GRACE_MS = 1_000;
/** Least time before a connection is cut off for an unsent request or an unread answer, while another one can be cut off. */
const FAIR_MS = 1_000;
const LOOK_MS = 250;

type State = "handshake" | "waiting" | "answering" | "sending" | "idle" | "refused";

export interface Connection {
  readonly source: string;
  readonly socket: Socket;
  /** What HTTP is spoken over: the socket, or TLS on it. */
  stream: Duplex;
  state: State;
  /** When it came to this state, by `performance.now()`. */
  sinceMs: number;
  /** Requests under way. */
  answers: number;
  /** When the first of them came, or the one before it was answered. */
  answerSinceMs: number;
  unreadBytes: number;
  /** To be refused when the answers under way are given. */
  isLast: boolean;
}

export class Connections {
  readonly cut = new Map<string, number>(CUTS.map((reason) => [reason, 0]));
  readonly #byPeer = new Map<string, Connection>();
  readonly #byStream = new WeakMap<Duplex, Connection>();
  readonly #isTls: boolean;
  readonly #answerMs: number;
  readonly #late: () => void;
  readonly #timer: NodeJS.Timeout;

  /** `answerMs`: so long may a client take to read one answer; `late` hears of who takes longer. */
  constructor(server: Server, isTls: boolean, answerMs: number, late: () => void) {
    this.#isTls = isTls;
    this.#answerMs = answerMs;
    this.#late = late;
    server.on("connection", (socket: Socket) => this.#add(socket));
    server.on("secureConnection", (stream: TLSSocket) => this.#secure(stream));
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
  }

  get open(): number {
    return this.#byPeer.size;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** null: it has been closed. */
  of(stream: Duplex): Connection | null {
    return this.#byStream.get(stream) ?? this.#byPeer.get(peerOf(stream as Socket)) ?? null;
  }

  /** A request has come. False: it is not to be answered, since the connection has been refused or has sent too many ahead. */
  begin(connection: Connection): boolean {
    if (connection.state === "refused" || connection.isLast) return false;
    if (connection.answers++ === 0) connection.answerSinceMs = performance.now();
    if (connection.answers > MAX_AHEAD) connection.isLast = true;
    this.#enter(connection, "answering");
    return true;
  }

  isTooFarAhead({ answers }: Connection): boolean {
    return answers > MAX_AHEAD;
  }

  /** An answer is handed over. False: so much is unread already that it finds no room. */
  send(connection: Connection, bytes: number): boolean {
    if (!this.#makeRoomForBytes()) return false;
    connection.unreadBytes += bytes;
    this.#enter(connection, "sending");
    return true;
  }

  /** An answer has been taken, or has failed. */
  end(connection: Connection, bytes: number): void {
    connection.answers--;
    connection.answerSinceMs = performance.now();
    connection.unreadBytes -= bytes;
    if (connection.answers > 0 || connection.state === "refused") return;
    if (connection.isLast) this.refuse(connection, null);
    else this.#enter(connection, "idle");
  }

  /** Nothing more is answered here. `words` null: an answer is on its way. The rest of what comes is read and thrown away. */
  refuse(connection: Connection, words: string | null): void {
    if (connection.state === "refused") return;
    this.#enter(connection, "refused");
    if (words !== null) connection.stream.end(words);
    else if (connection.answers === 0) connection.stream.end();
  }

  drop(connection: Connection, reason: Cut | null): void {
    if (reason !== null) this.#count(reason);
    this.#byPeer.delete(peerOf(connection.socket));
    connection.stream.destroy();
    connection.socket.destroy();
  }

  #add(socket: Socket): void {
    const peer = peerOf(socket);
    if (socket.remoteAddress === undefined) return void socket.destroy();
    const source = sourceOf(socket.remoteAddress);
    if (!this.#makeRoomFor(source)) {
      this.#count("no_room");
      socket.destroy();
      return;
    }
    const connection: Connection = {
      source,
      socket,
      stream: socket,
      state: this.#isTls ? "handshake" : "waiting",
      sinceMs: performance.now(),
      answers: 0,
      answerSinceMs: 0,
      unreadBytes: 0,
      isLast: false,
    };
    this.#byPeer.set(peer, connection);
    this.#byStream.set(socket, connection);
    socket.on("close", () => {
      if (this.#byPeer.get(peer) === connection) this.#byPeer.delete(peer);
    });
  }

  #secure(stream: TLSSocket): void {
    const connection = this.#byPeer.get(peerOf(stream));
    if (connection === undefined) return void stream.destroy();
    connection.stream = stream;
    this.#byStream.set(stream, connection);
    this.#enter(connection, "waiting");
  }

  #enter(connection: Connection, state: State): void {
    connection.state = state;
    connection.sinceMs = performance.now();
  }

  /** Frees a place where one is needed; false: no connection can be cut off. */
  #makeRoomFor(source: string): boolean {
    const all = [...this.#byPeer.values()];
    const own = all.filter((connection) => connection.source === source);
    if (own.length >= MAX_OF_SOURCE) return this.#cutOne(own);
    if (all.length < MAX_CONNECTIONS) return true;
    const crowd = largestOf(all);
    return this.#cutOne(all.filter((connection) => connection.source === crowd)) || this.#cutOne(all);
  }

  #cutOne(among: readonly Connection[]): boolean {
    const victim = leastUseful(among);
    if (victim !== null) this.drop(victim, cutOf(victim));
    return victim !== null;
  }

  #makeRoomForBytes(): boolean {
    const all = [...this.#byPeer.values()];
    let unread = all.reduce((sum, connection) => sum + connection.unreadBytes, 0);
    while (unread > MAX_UNREAD_BYTES) {
      const victim = leastUseful(all.filter(({ state, stream }) => state === "sending" && !stream.destroyed));
      if (victim === null) return false;
      unread -= victim.unreadBytes;
      this.drop(victim, "unread");
    }
    return true;
  }

  #look(): void {
    const nowMs = performance.now();
    for (const connection of [...this.#byPeer.values()]) {
      const ms = nowMs - connection.sinceMs;
      if (connection.state === "refused" && ms >= GRACE_MS) this.drop(connection, "refused");
      else if (connection.state === "handshake" && ms >= HANDSHAKE_MS) this.drop(connection, "handshake");
      else if (connection.answers > 0 && nowMs - connection.answerSinceMs >= this.#answerMs) {
        this.#late();
        this.drop(connection, null);
      }
    }
  }

  #count(reason: Cut): void {
    this.cut.set(reason, this.cut.get(reason)! + 1);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** Who has the most places. */
function largestOf(all: readonly Connection[]): string {
  const counts = new Map<string, number>();
  for (const { source } of all) counts.set(source, (counts.get(source) ?? 0) + 1);
  return [...counts].reduce((most, of) => (of[1] > most[1] ? of : most))[0];
}

/** The oldest of the first kind that there is; null: all are being answered. */
function leastUseful(all: readonly Connection[]): Connection | null {
  const nowMs = performance.now();
  let found: Connection | null = null;
  let best = NOT_TO_BE_CUT;
  for (const connection of all) {
    const rank = rankOf(connection, nowMs - connection.sinceMs >= FAIR_MS);
    if (rank < best || (found !== null && rank === best && connection.sinceMs < found.sinceMs)) {
      found = connection;
      best = rank;
    }
  }
  return found;
}

const NOT_TO_BE_CUT = 5;

function rankOf({ state }: Connection, hadTime: boolean): number {
  if (state === "refused") return 0;
  if (state === "handshake" || state === "waiting") return hadTime ? 1 : 4;
  if (state === "idle") return 2;
  return state === "sending" && hadTime ? 3 : NOT_TO_BE_CUT;
}

function cutOf({ state }: Connection): Cut {
  if (state === "handshake" || state === "waiting") return "unfinished";
  return state === "sending" ? "unread" : state === "refused" ? "refused" : "idle";
}
