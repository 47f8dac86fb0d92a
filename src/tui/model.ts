/** The monitor's data: the last Snapshot, the rates since the previous one, and the events. Pure and bounded. */
import type { NetworkEvent } from "../analyze/event-tracker.js";
import type { HealthReport, Row, Snapshot } from "../analyze/snapshot/snapshot.js";
import { numberOf } from "../view/cells.js";
import type { TreeLine } from "../view/map/topology-tree.js";

/** Messages of the monitor itself, besides events of the network. */
export type NoteKind = "error" | "note";

export interface MonitorEvent {
  /** ISO 8601; null: time unknown. */
  readonly time: string | null;
  readonly kind: NetworkEvent["event"] | NoteKind;
  readonly severity: NetworkEvent["severity"];
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
  /** Its rows are arrays, so it stays valid. */
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
  /** The source has ended: the replay is over, or the interface is gone for good. */
  readonly ended: boolean;
}

const MAX_EVENTS = 500;
const MAX_THROUGHPUT = 600;

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

export function note(model: Model, kind: NoteKind, text: string, time: string | null): Model {
  return withEvents(model, [{ time, kind, severity: kind === "error" ? "warning" : "info", text }]);
}

/** Adds events, oldest first. */
function withEvents(model: Model, events: readonly MonitorEvent[]): Model {
  return { ...model, events: [...events.toReversed(), ...model.events].slice(0, MAX_EVENTS) };
}

function happened(events: readonly NetworkEvent[], time: string | null): MonitorEvent[] {
  return events.map(({ event, severity, text }) => ({ time, kind: event, severity, text }));
}

/** Takes a new Snapshot, made at `time`, and its events, `seconds` after the previous one. */
export function withSnapshot(
  model: Model,
  snapshot: Snapshot,
  tree: readonly TreeLine[],
  seconds: number,
  events: readonly NetworkEvent[] = [],
  time: string | null = snapshot.window.end,
): Model {
  const before = model.snapshot;
  const next = { ...withEvents(model, happened(events, time)), snapshot, tree };
  if (before === null || seconds <= 0) return next;
  const rates = ratesBetween(before, snapshot, seconds);
  const sample = { seconds, bytes: classBytes(before, snapshot) };
  const throughput = [...model.throughput, sample].slice(-MAX_THROUGHPUT);
  const operationRates = operationRatesBetween(before, snapshot, seconds);
  return { ...next, rates, operationRates, throughput };
}

export const pairKey = (source: string, destination: string) => `${source}\0${destination}`;

function ratesBetween(before: Snapshot, after: Snapshot, seconds: number): Map<string, number> {
  const old = new Map<string, number>();
  for (const row of before.tables.pairs.rows)
    old.set(pairKey(String(row.source), String(row.destination)), numberOf(row.bytes));
  const rates = new Map<string, number>();
  for (const row of after.tables.pairs.rows) {
    const key = pairKey(String(row.source), String(row.destination));
    rates.set(key, Math.max(0, numberOf(row.bytes) - (old.get(key) ?? 0)) / seconds);
  }
  return rates;
}

export const operationKey = (table: string, { source, destination, operation }: Row) =>
  [table, source, destination, operation].join("\0");

/** Rates of every table that counts requests. */
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
      for (const row of rows) yield [operationKey(name, row), numberOf(row.requests)];
}

function classBytes(before: Snapshot, after: Snapshot): Record<string, number> {
  const old = new Map([...before.tables.protocols.rows].map((row) => [row.protocol, numberOf(row.bytes)]));
  const bytes: Record<string, number> = Object.create(null);
  for (const row of after.tables.protocols.rows)
    bytes[String(row.protocol)] = Math.max(0, numberOf(row.bytes) - (old.get(row.protocol ?? "") ?? 0));
  return bytes;
}

/** Takes a new health report and its changes. */
export function withHealth(model: Model, health: HealthReport, events: readonly NetworkEvent[] = []): Model {
  return { ...withEvents(model, happened(events, health.time)), health };
}
