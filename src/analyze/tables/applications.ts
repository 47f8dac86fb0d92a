/** The tables of what services ask of each other, one an application protocol. */
import type { Names } from "../../capture/names/names.js";
import type { Analyzer } from "../analyzer.js";
import type { Application, OutcomeColumn, Requests } from "../app/application.js";
import { APPLICATIONS } from "../app/applications.js";
import type { Channels } from "../app/channels.js";
import { createCounts, type Operation, type RequestCounts } from "../app/operations.js";
import { OTHER } from "../limit.js";
import { StandIns } from "../redact.js";
import type { Column, Row, Table } from "../snapshot.js";
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

const EDGE: readonly Column[] = [
  { name: "source", title: "Source", kind: "text", priority: 1 },
  { name: "destination", title: "Destination", kind: "text", priority: 1 },
];
const COMMON: readonly Column[] = [
  { name: "requests", title: "Requests", kind: "count", short: "Reqs", priority: 2 },
  { name: "errors", title: "Errors", kind: "count", short: "Err", priority: 2, of_answers: true },
  { name: "p50_ms", title: "p50", kind: "milliseconds", priority: 2 },
  { name: "p95_ms", title: "p95", kind: "milliseconds", priority: 3 },
  { name: "p99_ms", title: "p99", kind: "milliseconds", priority: 2 },
  { name: "unanswered", title: "Unanswered", kind: "count", priority: 3 },
];
const LAST: readonly Column[] = [
  { name: "request_bytes", title: "Request bytes", kind: "bytes", priority: 4 },
  { name: "response_bytes", title: "Response bytes", kind: "bytes", priority: 4 },
  { name: "unseen", title: "Not seen", kind: "count", priority: 4 },
];

/** A protocol whose requests are read. */
type Readable = Application & { readonly requests: Requests };

/** A table for each protocol whose requests are read, by name. */
export function buildApplications(
  operations: ReadonlyMap<Application, readonly OperationSum[]>,
): Readonly<Record<string, Table>> {
  const readable = APPLICATIONS.filter(
    (application): application is Readable => application.requests !== null,
  );
  return Object.fromEntries(
    readable.map((application) => [
      application.name,
      buildApplication(operations.get(application) ?? [], application),
    ]),
  );
}

/** The operations of an application, those asked most first. */
function buildApplication(sums: readonly OperationSum[], { name, title, requests }: Readable): Table {
  const columns: readonly Column[] = [
    ...EDGE,
    { name: "operation", title: requests.operationTitle, kind: "text", priority: 1 },
    ...COMMON,
    ...requests.columns.map(
      ({ name, title, kind, priority = 4 }): Column => ({ name, title, kind, priority, of_answers: true }),
    ),
    ...LAST,
  ];
  const order = [...sums].sort(
    (x, y) =>
      y.requests - x.requests ||
      compare(x.source, y.source) ||
      compare(x.destination, y.destination) ||
      compare(x.operation, y.operation),
  );
  const rowAt = (i: number) => operationRow(order[i]!, requests.columns);
  const total: Record<string, number> = {};
  for (const { name, kind } of columns) if (kind === "count" || kind === "bytes") total[name] = 0;
  for (let i = 0; i < order.length; i++) {
    const row = rowAt(i);
    for (const name of Object.keys(total)) total[name] = total[name]! + Number(row[name]);
  }
  return createTable({
    name,
    title,
    subject: "requests",
    top: 5,
    tellsOf: APPLICATIONS.filter(({ toldWith }) => toldWith === name).map((told) => told.name),
    columns,
    length: order.length,
    rowAt,
    other: null,
    omitted: 0,
    total,
  });
}

function operationRow(sum: OperationSum, outcomeColumns: readonly OutcomeColumn[]): Row {
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
    ...Object.fromEntries(outcomeColumns.map(({ name, value }) => [name, value(sum.outcomes)])),
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
): ReadonlyMap<Application, readonly OperationSum[]> {
  const { operations, channels } = inspector;
  const labels = new ChannelLabels(channels, names);
  const byName = new Map(APPLICATIONS.map((application) => [application.name, application]));
  const found = new Map<Application, Map<string, OperationSum>>();
  const standIns = redact ? new StandIns() : null;
  for (const operation of operations.list) {
    const source = labels.of(operation.channel, false);
    const destination = labels.of(operation.channel, true);
    const application = byName.get(operation.application)!;
    const ofApplication = found.get(application) ?? new Map<string, OperationSum>();
    found.set(application, ofApplication);
    const name = standIns?.of(application, operation.name) ?? operation.name;
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
    const label =
      address === null
        ? OTHER
        : (this.#names?.label(address, port, this.#channels.startUs(channel)) ?? address);
    this.#known.set(key, label);
    return label;
  }
}

function compare(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
