/** The tables of requests, one per application protocol. */
import type { Application, OutcomeColumn, Requests } from "../app/application.js";
import { APPLICATIONS } from "../app/applications.js";
import type { Column, Row, Table } from "../snapshot/snapshot.js";
import type { OperationSum } from "../sums/operations.js";
import { createTable, toMs } from "./table.js";

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
    // Without a captured answer it is unknown whether there were any.
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

function compare(x: string, y: string): number {
  return x < y ? -1 : x > y ? 1 : 0;
}
