/** The exposition: the current values as a page for Prometheus. The catalogue is in deploy/prometheus/README.md. */
import { CAPTURE_METRICS, type ExposedCapture } from "./capture.js";
import { EDGE_METRICS, type ExposedEdges, prepareEdges } from "./edges.js";
import { type ExpositionFormat, type Family, type Metric, readMetrics, renderFamilies } from "./metric.js";
import { type ExposedProcess, PROCESS_METRICS } from "./process.js";
import {
  CONNTRACK_METRICS,
  EVIDENCE_METRICS,
  type ExposedConnections,
  type ExposedEvidence,
  type ExposedHealth,
  HEALTH_METRICS,
} from "./state.js";

/** Everything on a page; a part that is null was not polled and has no metrics. */
export interface Exposition {
  /** `1.2.3`. */
  readonly version: string;
  readonly capture: ExposedCapture;
  readonly edges: ExposedEdges;
  readonly connections: ExposedConnections | null;
  readonly evidence: readonly ExposedEvidence[] | null;
  readonly health: readonly ExposedHealth[] | null;
  readonly process: ExposedProcess | null;
}

/** Renders the page. Reads its argument before the first await, so the argument may change afterwards. */
export async function renderExposition(exposition: Exposition, format: ExpositionFormat): Promise<string> {
  return await renderFamilies(buildFamilies(exposition), format);
}

const BUILD: Metric<string> = {
  type: "gauge",
  name: "netwatch_build_info",
  help: "The netwatch that gives this page; always 1.",
  read: (version) => [[1, { version }]],
};

function buildFamilies({
  version,
  capture,
  edges,
  connections,
  evidence,
  health,
  process,
}: Exposition): Family[] {
  return [
    ...readMetrics([BUILD], version),
    ...readMetrics(CAPTURE_METRICS, capture),
    ...readMetrics(EDGE_METRICS, prepareEdges(edges, connections)),
    ...(connections === null ? [] : readMetrics(CONNTRACK_METRICS, connections)),
    ...(evidence === null ? [] : readMetrics(EVIDENCE_METRICS, evidence)),
    ...(health === null ? [] : readMetrics(HEALTH_METRICS, health)),
    ...(process === null ? [] : readMetrics(PROCESS_METRICS, process)),
  ];
}
