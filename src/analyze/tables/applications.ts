/** The tables of what services ask of each other, one an application protocol. */
import type { Names } from "../../capture/names/names.js";
import type { Analyzer } from "../analyzer.js";
import type { ApplicationName } from "../app/application.js";
import type { Channels } from "../app/channels.js";
import { createCounts, type Operation, type RequestCounts } from "../app/operations.js";
import { OTHER } from "../limit.js";
import { StandIns } from "../redact.js";
import type { Column, Row, Table, TableName } from "../snapshot.js";
import { createTable } from "./table.js";
import { toMs } from "./tcp.js";

/** Everything one service asked of another under one name. */
export interface OperationSum extends RequestCounts {
  readonly source: string;
  readonly destination: string;
  readonly operation: string;
  /** From when on every answer was a failure, to all who asked; null: not so, or there was none. */
  failingSinceUs: number | null;
  /** Somebody's last answer was good. */
  isServing: boolean;
}

/** What a table shows beside what all of them do. */
export interface ApplicationTable {
  readonly name: TableName & ApplicationName;
  readonly title: string;
  /** Title of the operation's column. */
  readonly operation: string;
  readonly columns: readonly Column[];
  readonly cells: (sum: OperationSum) => Row;
}

const EDGE: readonly Column[] = [
  { name: "source", title: "Source", kind: "text" },
  { name: "destination", title: "Destination", kind: "text" },
];
const COMMON: readonly Column[] = [
  { name: "requests", title: "Requests", kind: "count" },
  { name: "errors", title: "Errors", kind: "count" },
  { name: "p50_ms", title: "p50", kind: "milliseconds" },
  { name: "p95_ms", title: "p95", kind: "milliseconds" },
  { name: "p99_ms", title: "p99", kind: "milliseconds" },
  { name: "unanswered", title: "Unanswered", kind: "count" },
];
const LAST: readonly Column[] = [
  { name: "request_bytes", title: "Request bytes", kind: "bytes" },
  { name: "response_bytes", title: "Response bytes", kind: "bytes" },
  { name: "unseen", title: "Not seen", kind: "count" },
];

/** The operations of an application, those asked most first. */
export function buildApplication(sums: readonly OperationSum[], table: ApplicationTable): Table {
  const columns: readonly Column[] = [
    ...EDGE,
    { name: "operation", title: table.operation, kind: "text" },
    ...COMMON,
    ...table.columns,
    ...LAST,
  ];
  const order = [...sums].sort(
    (x, y) =>
      y.requests - x.requests ||
      compare(x.source, y.source) ||
      compare(x.destination, y.destination) ||
      compare(x.operation, y.operation),
  );
  const rowAt = (i: number) => operationRow(order[i]!, table);
  const total: Record<string, number> = {};
  for (const { name, kind } of columns) if (kind === "count" || kind === "bytes") total[name] = 0;
  for (let i = 0; i < order.length; i++) {
    const row = rowAt(i);
    for (const name of Object.keys(total)) total[name] = total[name]! + Number(row[name]);
  }
  return createTable({
    name: table.name,
    title: table.title,
    columns,
    length: order.length,
    rowAt,
    other: null,
    omitted: 0,
    total,
  });
}

function operationRow(sum: OperationSum, table: ApplicationTable): Row {
  const { source, destination, operation, requests, durations } = sum;
  return {
    source,
    destination,
    operation,
    requests,
    // Of no answer that was seen, nobody knows whether there were any.
    errors: sum.answered === 0 && sum.unseen > 0 ? null : sum.errors,
    p50_ms: toMs(durations.quantileUs(0.5)),
    p95_ms: toMs(durations.quantileUs(0.95)),
    p99_ms: toMs(durations.quantileUs(0.99)),
    unanswered: requests - sum.answered - sum.lost,
    ...table.cells(sum),
    request_bytes: sum.requestBytes,
    response_bytes: sum.responseBytes,
    unseen: sum.unseen,
  };
}

/** Operations by application, those between services of the same names joined. `redact`: stand-ins for names from the wire. */
export function sumOperations(
  { inspector }: Analyzer,
  names: Names | null,
  redact: boolean,
): ReadonlyMap<ApplicationName, readonly OperationSum[]> {
  const { operations, channels } = inspector;
  const labels = new ChannelLabels(channels, names);
  const found = new Map<ApplicationName, Map<string, OperationSum>>();
  const standIns = redact ? new StandIns() : null;
  for (const operation of operations.list) {
    const source = labels.of(operation.channel, false);
    const destination = labels.of(operation.channel, true);
    const ofApplication = found.get(operation.application) ?? new Map<string, OperationSum>();
    found.set(operation.application, ofApplication);
    const name = standIns?.of(operation.application, operation.name) ?? operation.name;
    const key = `${source}\n${destination}\n${name}`;
    const sum = ofApplication.get(key) ?? createSum(source, destination, name);
    ofApplication.set(key, sum);
    add(sum, operation);
  }
  return new Map([...found].map(([application, sums]) => [application, [...sums.values()]]));
}

function createSum(source: string, destination: string, operation: string): OperationSum {
  return {
    source,
    destination,
    operation,
    ...createCounts(),
    failingSinceUs: null,
    isServing: false,
  };
}

function add(sum: OperationSum, operation: Operation): void {
  sum.requests += operation.requests;
  sum.answered += operation.answered;
  sum.errors += operation.errors;
  sum.lost += operation.lost;
  sum.unseen += operation.unseen;
  sum.requestBytes += operation.requestBytes;
  sum.responseBytes += operation.responseBytes;
  for (const [outcome, count] of operation.outcomes)
    sum.outcomes.set(outcome, (sum.outcomes.get(outcome) ?? 0) + count);
  sum.durations.merge(operation.durations);
  if (operation.answered > 0 && operation.failingSinceUs === null) sum.isServing = true;
  sum.failingSinceUs = sum.isServing ? null : later(sum.failingSinceUs, operation.failingSinceUs);
}

/** The later of two times, of which none may be known. Runs of failures side by side are one run from the last beginning on. */
export function later(x: number | null, y: number | null): number | null {
  return x === null || y === null ? (x ?? y) : Math.max(x, y);
}

/** What the ends of channels are called, as the ends of flows are. */
class ChannelLabels {
  readonly #channels: Channels;
  readonly #names: Names | null;
  readonly #known = new Map<number, string>();

  constructor(channels: Channels, names: Names | null) {
    this.#channels = channels;
    this.#names = names;
  }

  of(channel: number, ofServer: boolean): string {
    const key = channel * 2 + (ofServer ? 1 : 0);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const { address, port } = this.#channels.end(channel, ofServer);
    const label = address === null ? OTHER : this.#name(address, port, this.#channels.startUs(channel));
    this.#known.set(key, label);
    return label;
  }

  #name(address: string, port: number, startUs: number): string {
    if (this.#names === null) return address;
    return this.#names.find(address, port, startUs) ?? this.#names.rest ?? address;
  }
}

function compare(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}

/** How many answers had an outcome that `is` wants. */
export function countOutcomes(sum: OperationSum, is: (outcome: number) => boolean): number {
  let count = 0;
  for (const [outcome, n] of sum.outcomes) if (is(outcome)) count += n;
  return count;
}

/** The outcome that most answers had, among those that `is` wants; of equal ones the least; null: none had. */
export function commonestOutcome(sum: OperationSum, is: (outcome: number) => boolean): number | null {
  let best: number | null = null;
  for (const [outcome, n] of sum.outcomes) {
    if (!is(outcome)) continue;
    const most = best === null ? -1 : sum.outcomes.get(best)!;
    if (n > most || (n === most && outcome < best!)) best = outcome;
  }
  return best;
}
