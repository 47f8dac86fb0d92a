/** An application protocol: how it is recognised and followed, and what its table shows. Everything else derives from it. */
import type { Cell, Column } from "../snapshot/snapshot.js";
import type { Exchanges } from "./exchanges.js";
import type { Channel, Operations } from "./operations.js";
import type { OutcomeCounts } from "./outcomes.js";

/** Result of a look at the first bytes of a message. */
export const enum Looks {
  /** Not of this protocol. */
  no = 0,
  /** Possibly, but there are too few bytes to tell. */
  short = 1,
  /** A message of a client. */
  request = 2,
  /** A message of a server. */
  response = 3,
}

/** What `Dialogue.read` returns beside a number of bytes. */
export const enum Read {
  /** The message is incomplete. The same bytes come again, with those that follow. */
  more = 0,
  /** These bytes are no valid message: it is missed, and the side continues at the next recognisable message. */
  broken = -1,
  /** The rest of this side is not needed. */
  enough = -2,
  /** The connection uses another protocol after all. */
  foreign = -3,
  /** From here on both sides use the protocol that this one switches to (Application.turnsTo). */
  turns = -4,
}

/** How strictly a message identifies its protocol. Stricter protocols are tried first. */
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
  /** Its name in tables, options, metrics and the ledger. */
  readonly name: string;
  /** Its name in texts. */
  readonly title: string;
  readonly strictness: Strictness;
  /** How it is recognised and followed over each transport. At least one of the two. */
  readonly transports: { readonly tcp?: OverTcp; readonly udp?: OverUdp };
  /** How its requests are read; null: it is only recognised, not read. */
  readonly requests: Requests | null;
  /** Nothing of it is counted: it is followed only because it may switch to another protocol. */
  readonly isSilent?: true;
  /**
   * The protocol after an agreed switch (STARTTLS). Held bytes of the client are shown again each time
   * the server has sent more.
   */
  readonly turnsTo?: Application;
  /** For a protocol without a table: the table that reports what was missed of it. */
  readonly toldWith?: string;
}

/** How a protocol's requests and answers are read. */
export interface Requests {
  readonly outcome: Outcome;
  /** Title of the column of operations. */
  readonly operationTitle: string;
  /** Further columns of its table. */
  readonly columns: readonly OutcomeColumn[];
  /** Its operations contain names from packets; absent: they are words of a closed list. */
  readonly redact?: Redact;
}

/** Meaning of an outcome: the only rule by which tables and findings count errors. */
export interface Outcome {
  /** Whether an answer with this outcome counts as an error. */
  readonly isError: (outcome: number) => boolean;
  readonly word: (outcome: number) => string;
  /** Name of the errors in a finding; absent: `Redis errors`. */
  readonly errors?: (outcomes: OutcomeCounts) => string;
}

/** A column made from the outcomes of an operation's answers. */
export interface OutcomeColumn extends Column {
  readonly value: (outcomes: OutcomeCounts) => Cell;
}

/** How the names in operations are replaced: `GET {route 3}`. */
export interface Redact {
  readonly noun: string;
  /** Start of the name in the operation; absent: its first character. */
  readonly nameAt?: (operation: string) => number;
}

/** A protocol over TCP. */
export interface OverTcp {
  /**
   * Whether clients commonly send requests before the last answer. If the capture begins within such a connection, requests are not
   * matched with answers until these have caught up (see Exchanges).
   */
  readonly isPipelined: boolean;
  /**
   * Whether a message of this protocol begins at `at` in bytes [at, end). Only the content decides, not the port. `fromClient`: the
   * presumed sender, if both are possible. Cheap: reads at most a few dozen bytes. Also called if a capture
   * begins within a connection, or has a gap, at the start of each segment until a message is found: must rarely match other data. `isMidway`:
   * a message need not begin here.
   */
  looks(view: DataView, at: number, end: number, fromClient: boolean, isMidway?: boolean): Looks;
  /**
   * Where to search for the next message after invalid bytes: at the start of each line, or at each byte. Absent:
   * such a connection is given up.
   */
  readonly resumes?: "line" | "byte";
  /**
   * The same as `looks` behind bytes that cannot be read. What it says of some bytes, Looks.short aside, it says of them and any that
   * follow: the next message is the same one in whatever segments it comes. Not given: `looks` is like that.
   */
  tells?(view: DataView, at: number, end: number, fromClient: boolean): Looks;
  /** Starts to follow a connection. null: it is not read. */
  open(exchanges: Exchanges): Dialogue | null;
}

/** A protocol over UDP. */
export interface OverUdp {
  /** Whether the datagram [at, end) is of this protocol. Cheap. Never Looks.short: no more bytes of a datagram will come. */
  looks(view: DataView, at: number, end: number): Looks;
  /** Starts to follow the datagrams of all flows: one per analysis. */
  open(operations: Operations): Datagrams;
}

/** Follows a protocol over UDP, all its flows together. Bounded. */
export interface Datagrams {
  /**
   * A datagram of a flow that `looks` has recognised: bytes [at, end), borrowed. `fromClient`: its sender is the channel's client,
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

/** Follows one connection of a protocol, both sides. Bounded: holds at most a few hundred bytes. */
export interface Dialogue {
  /**
   * Reads bytes [at, end) of one side, borrowed: they continue after the last call for this side, in the order they were
   * sent. Returns how many of them it has consumed. A number above `end - at` skips further bytes unseen (a body
   * of known length), holes in the capture included. Read.more: shown again with what follows, up to MAX_HELD bytes. Called again
   * at once while it returns a number and bytes are left.
   * `firstUs`: when the byte at `at` was captured; `nowUs`: when the last one was.
   */
  read(fromClient: boolean, view: DataView, at: number, end: number, firstUs: number, nowUs: number): number;
  /** Bytes of a side are missing and were not skipped. That side continues where `looks` finds the next message. */
  lost(fromClient: boolean): void;
  /** The connection has ended, or is not followed any more: frees its share of shared room. */
  end(): void;
}

/** Most held bytes of an incomplete message. */
export const MAX_HELD = 16_384;
