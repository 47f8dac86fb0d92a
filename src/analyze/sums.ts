/** What is measured, summed once a Snapshot: tables and findings read it, and it knows neither. */
import type { Names } from "../capture/names/names.js";
import type { Analyzer } from "./analyzer.js";
import type { Application } from "./app/application.js";
import type { FlowTable } from "./flow/flows.js";
import { Labels } from "./flow/labels.js";
import type { Inspector } from "./inspector.js";
import { type OperationSum, sumOperations } from "./sums/operations.js";
import { PairSums } from "./sums/pairs.js";
import { sumTcp, type TcpSums } from "./sums/tcp.js";

/** Sums, and what they are of. Valid until the analyzer goes on. */
export interface Sums {
  readonly flows: FlowTable;
  readonly inspector: Inspector;
  /** null: ends are called by their addresses. */
  readonly names: Names | null;
  /** What ends are called, and their addresses. */
  readonly labels: Labels;
  readonly addresses: Labels;
  readonly pairs: PairSums;
  readonly tcp: TcpSums;
  readonly operations: ReadonlyMap<Application, readonly OperationSum[]>;
  /** Bytes of flows that have an end without a name; null: that cannot be told. */
  readonly unresolvedBytes: number | null;
}

/** Sums what an analyzer holds. `redact`: stand-ins for names from the wire. */
export function sumUp(analyzer: Analyzer, names: Names | null, redact: boolean): Sums {
  const { flows, inspector } = analyzer;
  const labels = new Labels(flows, names);
  return {
    flows,
    inspector,
    names,
    labels,
    addresses: names === null ? labels : new Labels(flows, null),
    pairs: new PairSums(flows, labels),
    tcp: sumTcp(flows, inspector, labels),
    operations: sumOperations(analyzer, names, redact),
    unresolvedBytes: labels.rest < 0 ? null : sumUnresolved(flows, labels),
  };
}

function sumUnresolved(flows: FlowTable, labels: Labels): number {
  let bytes = 0;
  for (let flow = 0; flow < flows.count; flow++) {
    if (labels.of(flow, false) !== labels.rest && labels.of(flow, true) !== labels.rest) continue;
    bytes += flows.bytes(flow, false) + flows.bytes(flow, true);
  }
  return bytes;
}
