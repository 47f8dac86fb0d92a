/** `netwatch metrics`: of capture files, once, the page that `netwatch serve` gives of a live run. */

import type { ExitCode } from "../../exit.js";
import { renderExposition } from "../../report/metrics/exposition.js";
import type { ExpositionFormat } from "../../report/metrics/metric.js";
import { analyzeCaptures, type CaptureOptions } from "../analyze/captures.js";
import type { Terminal } from "../terminal.js";
import { DEFAULT_MAX_SERIES, exposeFiles, OTHER_SAMPLES } from "./exposition.js";

export interface MetricsOptions extends CaptureOptions {
  readonly maxSeries?: number;
  readonly openmetrics?: boolean;
}

export async function metrics(
  files: readonly string[],
  options: MetricsOptions,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const result = await analyzeCaptures(files, options, producer, terminal);
  const maxSamples = (options.maxSeries ?? DEFAULT_MAX_SERIES) - OTHER_SAMPLES;
  const page = {
    version: producer.split(" ")[1]!,
    ...exposeFiles(result, maxSamples),
    connections: null,
    evidence: null,
    health: null,
    process: null,
  };
  const format: ExpositionFormat = options.openmetrics ? "openmetrics" : "text";
  await terminal.write([await renderExposition(page, format)]);
  return result.exitCode;
}
