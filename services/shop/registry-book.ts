/** The report of one instance. */
export interface Report {
  service: string;
  instance: string;
  address: string;
  port: number;
  /** Ports it still answers on while their callers leave. */
  draining: number[];
}

/** One port of one instance, from when to when. Times are milliseconds since the epoch; `to` null: still open. */
export interface Tenancy {
  service: string;
  instance: string;
  address: string;
  port: number;
  from: number;
  to: number | null;
}

interface Member extends Report {
  registeredAt: number;
  lastSeen: number;
}

/** The changes by a report. */
export interface Change {
  /** The previous port, if it changed. */
  readonly from?: number;
  /** It had been removed after silence, and is back. */
  readonly isBack: boolean;
}

const MAX_SILENT = 1000;

/** The place of every instance over time. Bounded: the oldest closed tenancy of the largest holder is removed first. */
export class RegistryBook {
  readonly #members = new Map<string, Member>();
  readonly #rotations = new Map<string, number>();
  /** Removed after silence. */
  readonly #silent = new Set<string>();
  #history: Tenancy[] = [];
  expired = 0;

  constructor(
    private readonly expiryMs: number,
    private readonly historyLimit = 5000,
  ) {}

  register(report: Report, now: number): Change {
    const known = this.#members.get(report.instance);
    const isBack = this.#silent.delete(report.instance);
    this.#members.set(report.instance, {
      ...report,
      registeredAt: known?.registeredAt ?? now,
      lastSeen: now,
    });
    this.#note(report, now);
    return { isBack, ...(known && known.port !== report.port ? { from: known.port } : {}) };
  }

  /** Undefined: the instance is unknown and should register. */
  heartbeat(report: Report, now: number): Change | undefined {
    return this.#members.has(report.instance) ? this.register(report, now) : undefined;
  }

  deregister(instance: string, now: number): boolean {
    this.#close(instance, [], now);
    return this.#members.delete(instance);
  }

  /** Removes instances after too long a silence; their ports count as closed at their last report. */
  expire(now: number): Report[] {
    const gone = [...this.#members.values()].filter((member) => now - member.lastSeen > this.expiryMs);
    for (const member of gone) {
      this.#close(member.instance, [], member.lastSeen);
      this.#members.delete(member.instance);
      this.#silent.add(member.instance);
      const [oldest] = this.#silent;
      if (this.#silent.size > MAX_SILENT && oldest !== undefined) this.#silent.delete(oldest);
    }
    this.expired += gone.length;
    return gone;
  }

  discover(service: string): { instance: string; address: string; port: number }[] {
    return [...this.#members.values()]
      .filter((member) => member.service === service)
      .sort((a, b) => (a.instance < b.instance ? -1 : 1))
      .map(({ instance, address, port }) => ({ instance, address, port }));
  }

  members(): readonly Member[] {
    return [...this.#members.values()];
  }

  requestRotation(service: string): number {
    const next = this.rotation(service) + 1;
    this.#rotations.set(service, next);
    return next;
  }

  /** How many rotations of the service were asked for so far. */
  rotation(service: string): number {
    return this.#rotations.get(service) ?? 0;
  }

  history(): readonly Tenancy[] {
    return this.#history;
  }

  #note(report: Report, now: number): void {
    const open = [report.port, ...report.draining];
    this.#close(report.instance, open, now);
    for (const port of open)
      if (
        !this.#history.some((entry) => entry.instance === report.instance && entry.port === port && !entry.to)
      )
        this.#history.push({
          service: report.service,
          instance: report.instance,
          address: report.address,
          port,
          from: now,
          to: null,
        });
    while (this.#history.length > this.historyLimit) this.#forgetOne();
  }

  /** Removes from the instance with the most tenancies at the address with the most, so that no instance displaces another's. */
  #forgetOne(): void {
    const address = most(this.#history.map((entry) => entry.address));
    const there = this.#history.filter((entry) => entry.address === address);
    const instance = most(there.map((entry) => entry.instance));
    const own = there.filter((entry) => entry.instance === instance);
    const oldest = own.find((entry) => entry.to !== null) ?? own[0];
    this.#history = this.#history.filter((entry) => entry !== oldest);
  }

  #close(instance: string, stillOpen: number[], now: number): void {
    for (const entry of this.#history)
      if (entry.instance === instance && entry.to === null && !stillOpen.includes(entry.port)) entry.to = now;
  }
}

/** The name that comes most often. */
function most(names: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  let best: string | undefined;
  for (const name of names) {
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    if (best === undefined || count > counts.get(best)!) best = name;
  }
  return best;
}
