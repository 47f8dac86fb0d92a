/** The kernel's limits, failure counters and switches of connection tracking, per namespace. */
import { closeSync, readSync } from "node:fs";
import type { NetnsTarget } from "../kernel/netns.js";
import { opener } from "../opener/opener.js";
import { CONNTRACK_FILES, type ConntrackFile, TIMEOUTS } from "./conntrack-files.js";

/** Larger than any of the files: a line of 200 characters a processor. */
const PROC_BYTES = 128 * 1024;

export interface ConntrackFacts {
  /** Entries the namespace has, and may have at most. */
  readonly count: number;
  readonly limit: number;
  /** Whether connections that begin now are counted in packets and bytes. */
  readonly accounting: boolean;
  /** Whether bridged IPv4 and IPv6 packets pass the IP hooks, and so connection tracking; null: no br_netfilter here. */
  readonly bridgeIpv4: boolean | null;
  readonly bridgeIpv6: boolean | null;
  /** Failures since the namespace was made; null: not available. */
  readonly failures: ConntrackFailures | null;
  /** Seconds an entry lives after its last packet, by the sysctl's name: `tcp_timeout_established`, `udp_timeout`. */
  readonly timeouts: ReadonlyMap<string, number>;
}

export interface ConntrackFailures {
  /** Two packets raced for one entry, or the table was full. */
  readonly insertFailed: number;
  /** Packets dropped because no entry could be made. */
  readonly dropped: number;
  /** Entries thrown out to make room. */
  readonly earlyDropped: number;
}

/** A file of /proc kept open: it stays tied to the namespace it was opened in, also after root is given up. */
class ProcFile {
  readonly #fd: number | null;
  readonly #bytes = Buffer.alloc(PROC_BYTES);

  /** null: there is no such file. */
  constructor(fd: number | null) {
    this.#fd = fd;
  }

  /** Its text now; null: there is no such file, or it cannot be read. */
  read(): string | null {
    if (this.#fd === null) return null;
    try {
      return this.#bytes.toString("latin1", 0, readSync(this.#fd, this.#bytes, 0, PROC_BYTES, 0));
    } catch {
      return null;
    }
  }

  number(): number | null {
    const text = this.read()?.trim() ?? "";
    return /^\d{1,10}$/.test(text) ? Number(text) : null;
  }

  switch(): boolean | null {
    const number = this.number();
    return number === null ? null : number === 1;
  }

  set(on: boolean): void {
    if (this.#fd !== null) opener().setAccounting(this.#fd, on);
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
  }
}

/** Reads what the kernel says of one namespace as often as asked. */
export class ConntrackFactsReader {
  readonly #count: ProcFile;
  readonly #limit: ProcFile;
  readonly #accounting: ProcFile;
  readonly #bridgeIpv4: ProcFile;
  readonly #bridgeIpv6: ProcFile;
  readonly #statistics: ProcFile;
  readonly #timeouts: ReadonlyMap<string, number>;
  /** State of accounting before it was turned on here; null: it was not changed. */
  #accountingBefore: boolean | null = null;

  private constructor(files: ReadonlyMap<ConntrackFile, ProcFile>) {
    const file = (name: ConntrackFile) => files.get(name)!;
    this.#count = file("count");
    this.#limit = file("max");
    this.#accounting = file("acct");
    this.#bridgeIpv4 = file("bridge-ipv4");
    this.#bridgeIpv6 = file("bridge-ipv6");
    this.#statistics = file("statistics");
    this.#timeouts = readTimeouts(files);
  }

  /** Opens in the namespace; null: this one. `writable` is for `enableAccounting`. Throws NetnsError. */
  static open(netns: NetnsTarget | null, writable = false): ConntrackFactsReader {
    const fds = opener().conntrackFiles(netns, writable);
    return new ConntrackFactsReader(
      new Map(CONNTRACK_FILES.map(({ name }, i) => [name, new ProcFile(fds[i] ?? null)])),
    );
  }

  /** What the kernel says now; null: it does no connection tracking (its module is not loaded). */
  read(): ConntrackFacts | null {
    const count = this.#count.number();
    const limit = this.#limit.number();
    if (count === null || limit === null) return null;
    return {
      count,
      limit,
      accounting: this.#accounting.number() === 1,
      bridgeIpv4: this.#bridgeIpv4.switch(),
      bridgeIpv6: this.#bridgeIpv6.switch(),
      failures: parseStatistics(this.#statistics.read()),
      timeouts: this.#timeouts,
    };
  }

  /** Turns accounting on: connections that begin from then on have counters. Throws the system's error. */
  enableAccounting(): void {
    const before = this.#accounting.switch();
    if (before !== false) return;
    this.#accounting.set(true);
    this.#accountingBefore = before;
  }

  /** Sets accounting back, if it was turned on here. Throws the system's error. */
  restoreAccounting(): void {
    if (this.#accountingBefore === null) return;
    this.#accounting.set(false);
    this.#accountingBefore = null;
  }

  close(): void {
    for (const file of [this.#count, this.#limit, this.#accounting, this.#bridgeIpv4, this.#bridgeIpv6])
      file.close();
    this.#statistics.close();
  }
}

function readTimeouts(files: ReadonlyMap<ConntrackFile, ProcFile>): ReadonlyMap<string, number> {
  const timeouts = new Map<string, number>();
  for (const name of TIMEOUTS) {
    const file = files.get(name)!;
    const seconds = file.number();
    if (seconds !== null) timeouts.set(name, seconds);
    file.close();
  }
  return timeouts;
}

/** Sums /proc/net/stat/nf_conntrack: a line of names, then hexadecimal numbers, a line a processor. */
function parseStatistics(text: string | null): ConntrackFailures | null {
  if (text === null) return null;
  const [head, ...lines] = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(/\s+/));
  const sum = (name: string): number | null => {
    const column = head?.indexOf(name) ?? -1;
    if (column < 0) return null;
    return lines.reduce((total, cells) => total + (Number.parseInt(cells[column] ?? "0", 16) || 0), 0);
  };
  const [insertFailed, dropped, earlyDropped] = ["insert_failed", "drop", "early_drop"].map(sum);
  if (insertFailed == null || dropped == null || earlyDropped == null) return null;
  return { insertFailed, dropped, earlyDropped };
}
