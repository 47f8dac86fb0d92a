/** What an application protocol is: how it is recognised, how it is followed, and what its table shows. All else derives from it. */
import type { Cell, Column } from "../snapshot/snapshot.js";
import type { Exchanges } from "./exchanges.js";
import type { Channel, Operations } from "./operations.js";
import type { OutcomeCounts } from "./outcomes.js";

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

/** How much of a message tells the protocol. Of two that could be, the stricter is asked first. */
export const enum Strictness {
  /** Fixed bytes at its beginning. */
  signature = 0,
  /** Lines of text. */
  text = 1,
  /** Fields that have to agree. */
  fields = 2,
  /** A type and a length. */
  length = 3,
  lax = 4,
}

/** One protocol. Plain data; the list of them is in `applications.ts`. */
export interface Application {
  /** As it is called in tables, options, metrics and the ledger. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  readonly strictness: Strictness;
  /** How it is recognised and followed over each transport. One of the two at least. */
  readonly transports: { readonly tcp?: OverTcp; readonly udp?: OverUdp };
  /** What is read of its requests; null: it is recognised by name, and nothing of it is read. */
  readonly requests: Requests | null;
  /** Nothing of it is counted: it is followed for what it may turn to. */
  readonly isSilent?: true;
  /**
   * What its connections turn to where client and server agree (STARTTLS). What a client has sent and is held is shown again each time
   * the server has gone on.
   */
  readonly turnsTo?: Application;
  /** Of a protocol without a table of its own: the table beside which is said what was missed of it. */
  readonly toldWith?: string;
}

/** What is read of a protocol's requests and answers. */
export interface Requests {
  readonly outcome: Outcome;
  /** Title of the column that names what is asked for. */
  readonly operationTitle: string;
  /** What its table shows beside requests, errors and durations. */
  readonly columns: readonly OutcomeColumn[];
  /** Its operations hold names from the wire; not given: they are words of a closed list. */
  readonly redact?: Redact;
}

/** What an outcome means: tables and findings tell errors by this, and by nothing else. */
export interface Outcome {
  /** Whether an answer with this outcome counts as an error. */
  readonly isError: (outcome: number) => boolean;
  readonly word: (outcome: number) => string;
  /** What a finding calls the errors among outcomes; not given: `Redis errors`. */
  readonly errors?: (outcomes: OutcomeCounts) => string;
}

/** A column that is made of the outcomes of an operation's answers. */
export interface OutcomeColumn extends Column {
  readonly value: (outcomes: OutcomeCounts) => Cell;
}

/** How the names in operations are replaced: `GET {route 3}`. */
export interface Redact {
  readonly noun: string;
  /** Where in the operation the name begins; not given: at its first character. */
  readonly nameAt?: (operation: string) => number;
}

/** A protocol over TCP. */
export interface OverTcp {
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
  /**
   * The same as `looks` behind bytes that cannot be read. What it says of some bytes, Looks.short aside, it says of them and any that
   * follow: the next message is the same one in whatever segments it comes. Not given: `looks` is like that.
   */
  tells?(view: DataView, at: number, end: number, fromClient: boolean): Looks;
  /** Begins to follow a connection. null: nothing of it is read. */
  open(exchanges: Exchanges): Dialogue | null;
}

/** A protocol over UDP. */
export interface OverUdp {
  /** What the datagram [at, end) looks like. Cheap. Never Looks.short: a datagram is whole, or cut for ever. */
  looks(view: DataView, at: number, end: number): Looks;
  /** Begins to follow the datagrams of all flows: one for each analysis. */
  open(operations: Operations): Datagrams;
}

/** Follows a protocol over UDP, all its flows together. Bounded. */
export interface Datagrams {
  /**
   * A datagram of a flow for which `looks` once said yes: bytes [at, end), borrowed. `fromClient`: its sender is the channel's client,
   * whose port `clientPort` is.
   */
  datagram(
    channel: Channel,
    clientPort: number,
    fromClient: boolean,
    view: DataView,
    at: number,
    end: number,
    nowUs: number,
  ): void;
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
