/** Events between two looks: losses, new pairs, health, moves. Bounded; reads no clock. */
import { formatCounted } from "../format.js";
import type { HealthReport, HealthTargetReport, LedgerInterface, Snapshot } from "./snapshot/snapshot.js";

/** Fields of an event besides its sentence; event.schema.json describes each. */
export type EventFields = Readonly<Record<string, string | number>>;

export interface NetworkEvent {
  readonly event:
    | "watch"
    | "new-pair"
    | "capture-drop"
    | "capture-ended"
    | "capture-resumed"
    | "health"
    | "rotation"
    | "events-lost";
  readonly severity: "info" | "notice" | "warning";
  /** One plain sentence; foreign names stand in it as they are. */
  readonly text: string;
  /** How many: packets lost, pairs not told one by one. */
  readonly count: number;
  readonly fields: EventFields;
}

export interface EventLimits {
  /** Most remembered pairs. Further ones are not reported as new. */
  readonly maxPairs?: number;
  /** New pairs reported one by one at each look; a scan makes more. */
  readonly maxNewPairs?: number;
}

export class EventTracker {
  readonly #maxPairs: number;
  readonly #maxNewPairs: number;
  readonly #pairs = new Set<string>();
  readonly #interfaces = new InterfaceTracker();
  #dropped = 0;
  #looked = false;
  #full = false;
  #health = new Map<string, HealthTargetReport>();

  constructor({ maxPairs = 100_000, maxNewPairs = 20 }: EventLimits = {}) {
    this.#maxPairs = maxPairs;
    this.#maxNewPairs = maxNewPairs;
  }

  /** Takes a Snapshot; its tables are read and not kept. Pairs of the first look count as known. */
  look(snapshot: Snapshot): NetworkEvent[] {
    const events = [...this.#losses(snapshot), ...this.#newPairs(snapshot)];
    this.#looked = true;
    return events;
  }

  /** Takes a round of health checks. The first says how things stand. */
  health({ targets }: HealthReport): NetworkEvent[] {
    const before = this.#health;
    this.#health = new Map(targets.map((target) => [`${target.address} ${target.service}`, target]));
    return [...this.#health].flatMap(([key, target]) => {
      const was = before.get(key);
      return was === undefined ? [] : changesOf(was, target);
    });
  }

  #losses({ ledger }: Snapshot): NetworkEvent[] {
    const events: NetworkEvent[] = [];
    const lost = (ledger.dropped ?? 0) - this.#dropped;
    if (lost > 0) {
      this.#dropped += lost;
      const text = `${formatCounted(lost, "packet")} dropped by the kernel`;
      events.push({ event: "capture-drop", severity: "warning", text, count: lost, fields: {} });
    }
    if (ledger.interfaces !== null) {
      events.push(...this.#interfaces.follow(ledger.interfaces));
    }
    return events;
  }

  #newPairs({ tables: { pairs } }: Snapshot): NetworkEvent[] {
    const events: NetworkEvent[] = [];
    let more = 0;
    const wasFull = this.#full;
    let listed = pairs.rows.length - (pairs.omitted > 0 ? 1 : 0);
    for (const row of pairs.rows) {
      if (listed-- <= 0 || this.#full) break;
      const [source, destination] = [String(row.source), String(row.destination)];
      const key = source < destination ? `${source}\0${destination}` : `${destination}\0${source}`;
      if (this.#pairs.has(key)) continue;
      if (this.#pairs.size === this.#maxPairs) {
        this.#full = true;
        break;
      }
      this.#pairs.add(key);
      if (!this.#looked) continue;
      if (events.length < this.#maxNewPairs) events.push(newPair(source, destination));
      else more++;
    }
    if (more > 0) events.push(moreNewPairs(more));
    if (this.#full && !wasFull) {
      this.#pairs.clear();
      events.push(noMorePairs(this.#maxPairs));
    }
    return events;
  }
}

/** Tells of interfaces that go away and come back. */
export class InterfaceTracker {
  /** Of the look before. */
  #interfaces: ReadonlyMap<string, LedgerInterface> = new Map();

  /** Takes the interfaces as they are now. */
  follow(interfaces: readonly LedgerInterface[]): NetworkEvent[] {
    const before = this.#interfaces;
    this.#interfaces = new Map(interfaces.map((is) => [is.name, is]));
    return interfaces.flatMap((is) => comingAndGoing(before.get(is.name), is));
  }
}

/** What became of an interface since the look before. */
function comingAndGoing(was: LedgerInterface | undefined, is: LedgerInterface): NetworkEvent[] {
  const events: NetworkEvent[] = [];
  if (is.ended !== null && is.ended !== (was?.ended ?? null)) {
    const text = `${is.name} gives no more packets: ${is.ended}`;
    const fields = { interface: is.name, reason: is.ended };
    events.push({ event: "capture-ended", severity: "warning", text, count: 1, fields });
  }
  const hasBeenAway = (was?.ended ?? null) !== null || (is.outages ?? 0) > (was?.outages ?? 0);
  if (is.ended === null && hasBeenAway) {
    const text = `${is.name} is back; packets meanwhile are missing`;
    const fields = { interface: is.name };
    events.push({ event: "capture-resumed", severity: "notice", text, count: 1, fields });
  }
  return events;
}

function newPair(source: string, destination: string): NetworkEvent {
  const text = `${source} and ${destination} talk for the first time`;
  return { event: "new-pair", severity: "notice", text, count: 1, fields: { source, destination } };
}

/** The events with the first `most` new pairs, the others of these as a sum behind them: for a screen. */
export function foldNewPairs(events: readonly NetworkEvent[], most: number): NetworkEvent[] {
  const folded: NetworkEvent[] = [];
  let pairs = 0;
  let more = 0;
  for (const event of events) {
    if (event.event !== "new-pair") folded.push(event);
    else if (pairs < most && event.count === 1) {
      folded.push(event);
      pairs++;
    } else more += event.count;
  }
  if (more === 0) return folded;
  // New pairs come together: what is behind them stays behind them.
  const last = folded.findLastIndex(({ event }) => event === "new-pair");
  return folded.toSpliced(last + 1, 0, moreNewPairs(more));
}

function moreNewPairs(count: number): NetworkEvent {
  const text = `${formatCounted(count, "more new pair")}`;
  return { event: "new-pair", severity: "notice", text, count, fields: {} };
}

function noMorePairs(limit: number): NetworkEvent {
  const reason = `more than ${formatCounted(limit, "pair")}`;
  const text = `${reason}: new ones are no longer told`;
  return { event: "events-lost", severity: "warning", text, count: 1, fields: { reason } };
}

function changesOf(was: HealthTargetReport, target: HealthTargetReport): NetworkEvent[] {
  const { service, address, port, state, reason } = target;
  const events: NetworkEvent[] = [];
  const name = `${service} (${address})`;
  if (was.port !== port) {
    const text = `${name} moved from port ${was.port} to ${port}`;
    const fields = { service, address, from_port: was.port, to_port: port };
    events.push({ event: "rotation", severity: "info", text, count: 1, fields });
  }
  if (was.state === state || was.state === "unknown" || state === "unknown") return events;
  const why = reason === null ? "" : `: ${reason}`;
  const fields = { service, address, port, before: was.state, state, ...(reason === null ? {} : { reason }) };
  const severity = state === "down" ? "warning" : "notice";
  events.push({ event: "health", severity, text: `${name} is ${state}${why}`, count: 1, fields });
  return events;
}
