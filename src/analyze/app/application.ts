/** What an application protocol is to the analyzer: how it is recognised, and how a connection of it is followed. */
import type { Exchanges } from "./exchanges.js";

/** The protocols that are known, as they are called everywhere. */
export const APPLICATIONS = ["http", "redis", "postgres", "dns", "tls", "http2", "grpc"] as const;
export type ApplicationName = (typeof APPLICATIONS)[number];

/** What bytes at the beginning of a message look like. */
export const enum Looks {
  /** Not of this protocol. */
  no = 0,
  /** They could be, but are too few to tell. */
  short = 1,
  /** A message of a client. */
  request = 2,
  /** A message of a server. */
  response = 3,
}

/** What `Dialogue.read` returns beside a number of bytes. */
export const enum Read {
  /** The message needs more bytes than there are. They are shown again, with those that follow. */
  more = 0,
  /** These bytes cannot be read as a message: it is missed, and the side goes on where the next can be told. */
  broken = -1,
  /** Nothing that this side still sends matters. */
  enough = -2,
  /** The connection is of another protocol after all. */
  foreign = -3,
  /** From here on, of both sides, the connection is of the protocol that this one turns to (Application.turnsTo). */
  turns = -4,
}

/** One protocol over TCP. Plain data; the list of them is in `applications.ts`. */
export interface Application {
  /** null: nothing of it is counted, it is followed for what it may turn to. */
  readonly name: ApplicationName | null;
  /**
   * What its connections turn to where client and server agree (STARTTLS). What a client has sent and is held is shown again each time
   * the server has gone on.
   */
  readonly turnsTo?: Application;
  /**
   * Whether clients commonly ask before the last answer has come. Where the capture begins amid such a connection, requests are not
   * joined with answers until these have caught up (see Exchanges).
   */
  readonly isPipelined: boolean;
  /**
   * What bytes [at, end) look like, if a message begins at `at`. Content decides: the port is not asked. `fromClient`: who is
   * thought to have sent them, for where both could be. Cheap: reads a few dozen bytes at most. Also asked where a capture
   * begins amid a connection, or has a gap, at the start of each segment until a message is found: says yes to little else. `isAmid`:
   * a message need not begin here.
   */
  looks(view: DataView, at: number, end: number, fromClient: boolean, isAmid?: boolean): Looks;
  /**
   * Where the next message is looked for behind bytes that cannot be read: at the beginning of each line, or at each byte. Not given:
   * such a connection is given up.
   */
  readonly resumes?: "line" | "byte";
  /** Begins to follow a connection. null: the protocol is recognised by its name, and nothing of it is read. */
  open(exchanges: Exchanges): Dialogue | null;
}

/** Follows one connection of a protocol, both sides. Bounded: holds a few hundred bytes at most, whatever is sent. */
export interface Dialogue {
  /**
   * Reads bytes [at, end) of one side, borrowed: they begin where the last call for this side left off, in the order they were
   * sent. Returns how many of them are done with. More than there are: what follows is passed over unseen up to there (a body
   * of known length), holes in the capture included. Read.more: shown again with what follows, up to MAX_HELD bytes. Called again
   * at once while it returns a number and bytes are left.
   * `firstUs`: when the byte at `at` was captured; `nowUs`: when the last one was.
   */
  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number, nowUs: number): number;
  /** Bytes of a side are missing and were not to be passed over. That side goes on where `looks` next finds a message. */
  lost(fromClient: boolean): void;
  /** The connection is over, or followed no further: gives back the room it took. */
  end(): void;
}

/** The most bytes of an unfinished message that are held back for `Dialogue.read`. */
export const MAX_HELD = 16_384;
