/** What the monitor knows: the last Snapshot, what changed since the one before, and what happened. Pure and bounded. */
import type { HealthReport, LedgerInterface, Row, Snapshot } from "../analyze/snapshot.js";
import { formatCounted, visible } from "../format.js";

/** One line of the tree of who calls whom. */
export interface TreeLine {
  readonly name: string;
  readonly more: readonly boolean[];
  readonly edge: { readonly client: string; readonly server: string; readonly bytes: number } | null;
  readonly again: boolean;
}

export type EventKind = "health" | "drops" | "pair" | "rotation" | "error" | "note";

export interface MonitorEvent {
  /** ISO 8601; null: no clock was known. */
  readonly time: string | null;
  readonly kind: EventKind;
  readonly text: string;
}

/** Bytes a second of each class of traffic between two Snapshots. */
export interface Throughput {
  readonly seconds: number;
  readonly bytes: Readonly<Record<string, number>>;
}

export interface Model {
  /** `br-app`, `shop.pcapng`. */
  readonly source: string;
  readonly mode: "live" | "replay" | "snapshot";
  /** Its rows are arrays: it holds as long as it is wanted. */
  readonly snapshot: Snapshot | null;
  readonly tree: readonly TreeLine[];
  /** Bytes a second by `source\0destination`; null: there was no Snapshot before. */
  readonly rates: ReadonlyMap<string, number> | null;
  /** Requests a second by `operationKey`; null: there was no Snapshot before. */
  readonly operationRates: ReadonlyMap<string, number> | null;
  /** Oldest first. */
  readonly throughput: readonly Throughput[];
  readonly health: HealthReport | null;
  /** Newest first. */
  readonly events: readonly MonitorEvent[];
  /** Nothing more will come: the replay is over, or the interface has ended for good. */
  readonly ended: boolean;
}

const MAX_EVENTS = 500;
const MAX_THROUGHPUT = 600;
/** New pairs told one by one at each look; a scan makes more. */
const MAX_NEW_PAIRS = 5;

export function emptyModel(source: string, mode: Model["mode"]): Model {
  return {
    source,
    mode,
    snapshot: null,
    tree: [],
    rates: null,
    operationRates: null,
    throughput: [],
    health: null,
    events: [],
    ended: false,
  };
}

export function note(model: Model, kind: EventKind, text: string, time: string | null): Model {
  return { ...model, events: [{ time, kind, text }, ...model.events].slice(0, MAX_EVENTS) };
}

/** Takes a new Snapshot, made at `time`. `seconds` have passed since the one before. */
export function withSnapshot(
  model: Model,
  snapshot: Snapshot,
  tree: readonly TreeLine[],
  seconds: number,
  time: string | null = snapshot.window.end,
): Model {
  const before = model.snapshot;
  const next = { ...model, snapshot, tree };
  if (before === null || seconds <= 0) return next;
  const rates = ratesBetween(before, snapshot, seconds);
  const sample = { seconds, bytes: classBytes(before, snapshot) };
  const throughput = [...model.throughput, sample].slice(-MAX_THROUGHPUT);
  const operationRates = operationRatesBetween(before, snapshot, seconds);
  return withHappenings({ ...next, rates, operationRates, throughput }, before, snapshot, time);
}

export const pairKey = (source: string, destination: string) => `${source}\0${destination}`;

function ratesBetween(before: Snapshot, after: Snapshot, seconds: number): Map<string, number> {
  const old = new Map<string, number>();
  for (const row of before.tables.pairs.rows)
    old.set(pairKey(String(row.source), String(row.destination)), Number(row.bytes));
  const rates = new Map<string, number>();
  for (const row of after.tables.pairs.rows) {
    const key = pairKey(String(row.source), String(row.destination));
    rates.set(key, Math.max(0, Number(row.bytes) - (old.get(key) ?? 0)) / seconds);
  }
  return rates;
}

export const operationKey = (table: string, { source, destination, operation }: Row) =>
  [table, source, destination, operation].join("\0");

/** Of every table that counts requests. */
function operationRatesBetween(before: Snapshot, after: Snapshot, seconds: number): Map<string, number> {
  const old = new Map(operationsOf(before));
  const rates = new Map<string, number>();
  for (const [key, requests] of operationsOf(after))
    rates.set(key, Math.max(0, requests - (old.get(key) ?? 0)) / seconds);
  return rates;
}

function* operationsOf({ tables }: Snapshot): Iterable<[string, number]> {
  for (const [name, { columns, rows }] of Object.entries(tables))
    if (columns?.some((column) => column.name === "requests"))
      for (const row of rows) yield [operationKey(name, row), Number(row.requests)];
}

function classBytes(before: Snapshot, after: Snapshot): Record<string, number> {
  const old = new Map([...before.tables.protocols.rows].map((row) => [row.protocol, Number(row.bytes)]));
  const bytes: Record<string, number> = Object.create(null);
  for (const row of after.tables.protocols.rows)
    bytes[String(row.protocol)] = Math.max(0, Number(row.bytes) - (old.get(row.protocol ?? "") ?? 0));
  return bytes;
}

/** New pairs, losses, and interfaces that ended, as events. */
function withHappenings(model: Model, before: Snapshot, after: Snapshot, time: string | null): Model {
  let next = model;
  const lost = (after.ledger.dropped ?? 0) - (before.ledger.dropped ?? 0);
  if (lost > 0) next = note(next, "drops", `${formatCounted(lost, "packet")} dropped by the kernel`, time);
  for (const is of after.ledger.interfaces ?? []) {
    const was = before.ledger.interfaces?.find((of) => of.name === is.name);
    for (const { kind, text } of was === undefined ? [] : comingAndGoing(was, is))
      next = note(next, kind, text, time);
  }
  return withNewPairs(next, before, after, time);
}

/** What became of an interface between two looks. */
function comingAndGoing(was: LedgerInterface, is: LedgerInterface): Pick<MonitorEvent, "kind" | "text">[] {
  const name = visible(is.name);
  const gone = is.ended !== null && is.ended !== was.ended;
  const been = (is.outages ?? 0) > (was.outages ?? 0);
  const back = is.ended === null && (was.ended !== null || been);
  return [
    ...(gone ? [{ kind: "error" as const, text: `${name}: ${visible(is.ended!)}` }] : []),
    ...(back ? [{ kind: "note" as const, text: `${name} is back; packets meanwhile are missing` }] : []),
  ];
}

function withNewPairs(model: Model, before: Snapshot, after: Snapshot, time: string | null): Model {
  // Where the table before was cut, a pair that is in sight now need not be new.
  if (before.tables.pairs.omitted > 0) return model;
  const known = new Set<string>();
  for (const { source, destination } of before.tables.pairs.rows)
    known.add(pairKey(String(source), String(destination)));
  const fresh: string[] = [];
  for (const row of after.tables.pairs.rows) {
    const [source, destination] = [String(row.source), String(row.destination)];
    if (known.has(pairKey(source, destination)) || known.has(pairKey(destination, source))) continue;
    known.add(pairKey(source, destination));
    fresh.push(`new: ${visible(source)} and ${visible(destination)}`);
  }
  let next = model;
  for (const text of fresh.slice(0, MAX_NEW_PAIRS)) next = note(next, "pair", text, time);
  const more = fresh.length - MAX_NEW_PAIRS;
  return more > 0 ? note(next, "pair", `and ${formatCounted(more, "more new pair")}`, time) : next;
}

/** Takes a new health report; what changed becomes events. */
export function withHealth(model: Model, health: HealthReport): Model {
  const before = new Map(
    (model.health?.targets ?? []).map((target) => [`${target.address} ${target.service}`, target]),
  );
  let next: Model = { ...model, health };
  for (const target of health.targets) {
    const was = before.get(`${target.address} ${target.service}`);
    if (was === undefined) continue;
    const name = `${visible(target.service)} (${target.address})`;
    if (was.port !== target.port)
      next = note(next, "rotation", `${name} moved from port ${was.port} to ${target.port}`, health.time);
    if (was.state === target.state || was.state === "unknown") continue;
    const why = target.reason === null ? "" : `: ${visible(target.reason)}`;
    next = note(next, "health", `${name} is ${target.state.toUpperCase()}${why}`, health.time);
  }
  return next;
}
