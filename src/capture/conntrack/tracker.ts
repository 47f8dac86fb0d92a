/** Polls what the kernel knows of one namespace's connections: entries, sockets, limits. */

import { SystemError } from "../kernel/libc.js";
import { SocketReader, type SocketTable } from "../kernel/sockets.js";
import { ConntrackReader } from "./conntrack.js";
import { type ConntrackFacts, ConntrackFactsReader } from "./conntrack-facts.js";
import type { ConntrackTable } from "./conntrack-table.js";

/** One poll of one namespace. Its tables are reused: they hold until the next poll. */
export interface ConntrackNamespace {
  /** Its name; null: the one netwatch runs in, or of a file. */
  readonly netns: string | null;
  readonly entries: ConntrackTable;
  /** The entries are not known: `entries` has none. */
  readonly isUnknown?: boolean;
  /** null: not known, as for a file, or the kernel does no connection tracking. */
  readonly facts: ConntrackFacts | null;
  /** null: not asked for, or not available. */
  readonly sockets: SocketTable | null;
  /** Lists that had to be read again, and polls that gave nothing or not all. */
  readonly resyncs: number;
  readonly failures: number;
  /** Messages, or lines of a file, that were no entries. */
  readonly odd: number;
  /** Why the last poll gave nothing or not all; null: it gave all. */
  readonly problem: string | null;
}

/** Answers of the kernel that are taken before other work gets its turn: some three milliseconds. */
const STEPS_AT_A_TIME = 8;

/** Polls one namespace. Once open it needs CAP_NET_ADMIN at each poll and nothing else. */
export class ConntrackPoller implements ConntrackNamespace {
  readonly netns: string | null;
  facts: ConntrackFacts | null = null;
  sockets: SocketTable | null = null;
  failures = 0;
  problem: string | null = null;
  /** Until the first poll too. */
  isUnknown = true;
  /** The kernel's error if it refused the last poll because a capability is missing; else null. */
  denied: SystemError | null = null;
  readonly #conntrack: ConntrackReader;
  readonly #sockets: SocketReader;
  readonly #facts: ConntrackFactsReader;

  private constructor(netns: string | null, writable: boolean) {
    this.netns = netns;
    this.#conntrack = ConntrackReader.open(netns);
    this.#sockets = SocketReader.open(netns);
    this.#facts = ConntrackFactsReader.open(netns, writable);
  }

  /** Opens in the namespace; null: this one. `writable` is for `enableAccounting`. Throws NetnsError, SystemError. */
  static open(netns: string | null, writable = false): ConntrackPoller {
    return new ConntrackPoller(netns, writable);
  }

  get entries(): ConntrackTable {
    return this.#conntrack.table;
  }

  get resyncs(): number {
    return this.#conntrack.resyncs + this.#sockets.resyncs;
  }

  get odd(): number {
    return this.#conntrack.malformed;
  }

  /** Reads everything again; awaits `breathe` in between so that other work gets its turn. Errors of the kernel do not throw. */
  async poll(breathe: () => Promise<void>): Promise<void> {
    this.problem = null;
    this.denied = null;
    this.facts = this.#facts.read();
    this.isUnknown = !(await this.#run(this.#conntrack.steps(), breathe, "connection tracking"));
    if (this.isUnknown) this.entries.clear();
    const read = await this.#run(this.#sockets.steps(), breathe, "sockets");
    this.sockets = read ? this.#sockets.table : null;
    if (this.problem !== null) this.failures++;
  }

  async #run(steps: Generator<void, boolean>, breathe: () => Promise<void>, what: string): Promise<boolean> {
    try {
      for (let n = 1; ; n++) {
        const step = steps.next();
        if (step.done) {
          if (!step.value) this.problem ??= CHANGING;
          return true;
        }
        if (n % STEPS_AT_A_TIME === 0) await breathe();
      }
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.code === "EPERM") this.denied = error;
      this.problem = `${what} could not be read: ${error.code === "EAGAIN" ? "the kernel does not answer" : error.message}`;
      return false;
    }
  }

  enableAccounting(): void {
    this.#facts.enableAccounting();
  }

  restoreAccounting(): void {
    this.#facts.restoreAccounting();
  }

  close(): void {
    this.#conntrack.close();
    this.#sockets.close();
    this.#facts.close();
  }
}

const CHANGING = "the table changed every time while it was read; entries may be missing or doubled";
