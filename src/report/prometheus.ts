/** The exposition: what is known at this moment, as a page that Prometheus reads. The catalogue is in services/prometheus/README.md. */
import { captureFamilies, type ExposedCapture } from "./prometheus-capture.js";
import { type ExposedEdges, edgeFamilies } from "./prometheus-edges.js";
import { type ExpositionFormat, Family, renderFamilies } from "./prometheus-family.js";
import { type ExposedProcess, processFamilies } from "./prometheus-process.js";
import {
  conntrackFamilies,
  type ExposedConnections,
  type ExposedEvidence,
  type ExposedHealth,
  evidenceFamilies,
  healthFamilies,
} from "./prometheus-state.js";

/** Everything a page is made of; what is null was not asked, and has no metrics. */
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

/** Renders the page. Reads its argument before it first waits: it may change afterwards. */
export async function renderExposition(exposition: Exposition, format: ExpositionFormat): Promise<string> {
  return await renderFamilies(buildFamilies(exposition), format);
}

function buildFamilies({
  version,
  capture,
  edges,
  connections,
  evidence,
  health,
  process,
}: Exposition): Family[] {
  const build = new Family("gauge", "netwatch_build_info", "The netwatch that gives this page; always 1.");
  return [
    build.add(1, { version }),
    ...captureFamilies(capture),
    ...edgeFamilies(edges, connections),
    ...(connections === null ? [] : conntrackFamilies(connections)),
    ...(evidence === null ? [] : evidenceFamilies(evidence)),
    ...(health === null ? [] : healthFamilies(health)),
    ...(process === null ? [] : processFamilies(process)),
  ];
}
