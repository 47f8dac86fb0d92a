/** The sums of a Snapshot: tables and findings read them. Imports neither. */
import type { Names } from "../capture/names/names.js";
import type { Analyzer } from "./analyzer.js";
import type { Application } from "./app/application.js";
import type { FlowTable } from "./flow/flows.js";
import { Labels } from "./flow/labels.js";
import { Scratch } from "./flow/scratch.js";
import type { Inspector } from "./inspector.js";
import { EndSums } from "./sums/ends.js";
import { type OperationSum, sumOperations } from "./sums/operations.js";
import { PairSums } from "./sums/pairs.js";
import { sumTcp, type TcpSums } from "./sums/tcp.js";

/** Sums, and what they are of. Valid until the analyzer goes on. */
export interface Sums {
  readonly flows: FlowTable;
  readonly inspector: Inspector;
  /** null: ends are called by their addresses. */
  readonly names: Names | null;
  /** Labels of ends, and their addresses. */
  readonly labels: Labels;
  readonly addresses: Labels;
  readonly pairs: PairSums;
  /** What ends sent and received, by what they are called and by their addresses. */
  readonly ends: EndSums;
  readonly addressEnds: EndSums;
  readonly tcp: TcpSums;
  readonly operations: ReadonlyMap<Application, readonly OperationSum[]>;
  /** Bytes of flows that have an end without a name; null: that cannot be told. */
  readonly unresolvedBytes: number | null;
  /** For what reads them to work in. */
  readonly scratch: Scratch;
}

/** Sums what an analyzer holds. `redact`: stand-ins for names from the wire. */
export function sumUp(analyzer: Analyzer, names: Names | null, redact: boolean): Sums {
  const { flows, inspector } = analyzer;
  const scratch = new Scratch();
  const labels = new Labels(flows, names, scratch);
  const addresses = names === null ? labels : new Labels(flows, null, scratch);
  const ends = new EndSums(flows, labels);
  return {
    flows,
    inspector,
    names,
    labels,
    addresses,
    pairs: new PairSums(flows, labels),
    ends,
    addressEnds: names === null ? ends : new EndSums(flows, addresses),
    tcp: sumTcp(flows, inspector, labels),
    operations: sumOperations(analyzer, names, redact),
    unresolvedBytes: labels.rest < 0 ? null : sumUnresolved(flows, labels),
    scratch,
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
