/** The pages of the exporter. */

import { type Exposition, renderExposition } from "../../report/metrics/exposition.js";
import { CONTENT_TYPES } from "../../report/metrics/metric.js";
import type { ProcessMeter } from "./process-meter.js";
import { prefersOpenMetrics } from "./web/negotiation.js";
import type { Page, Route } from "./web/web-server.js";

export interface Served {
  readonly producer: string;
  /** Whether packets are counted. */
  isReady(): boolean;
  /** What a page is made of, at this moment. */
  page(): Exposition;
  /** The Snapshot as JSON. */
  snapshot(): Promise<Iterable<string>>;
}

const TEXT = "text/plain; charset=utf-8";
/** Prometheus asks once at a time; there may be two of them, and a person. */
const METRICS_AT_ONCE = 4;

export function createRoutes(served: Served, meter: ProcessMeter): ReadonlyMap<string, Route> {
  const metrics = async (accept: string): Promise<Page> => {
    const started = performance.now();
    const format = prefersOpenMetrics(accept) ? "openmetrics" : "text";
    const body = await renderExposition(served.page(), format);
    meter.scrapes++;
    meter.scrapeSeconds += (performance.now() - started) / 1000;
    return { status: 200, type: CONTENT_TYPES[format], body };
  };
  const ready = async (): Promise<Page> =>
    served.isReady()
      ? { status: 200, type: TEXT, body: "ready\n" }
      : { status: 503, type: TEXT, body: "no packets are counted any more\n" };
  const snapshot = async (): Promise<Page> => ({
    status: 200,
    type: "application/json; charset=utf-8",
    body: [...(await served.snapshot())].join(""),
  });
  return new Map<string, Route>([
    ["/metrics", { make: metrics, atOnce: METRICS_AT_ONCE }],
    ["/healthz", { make: async () => ({ status: 200, type: TEXT, body: "ok\n" }), atOnce: 16 }],
    ["/readyz", { make: ready, atOnce: 16 }],
    ["/snapshot", { make: snapshot, atOnce: 1 }],
    ["/", { make: async () => landingPage(served.producer), atOnce: 16 }],
  ]);
}

function landingPage(producer: string): Page {
  const links = [
    ["/metrics", "metrics for Prometheus, as text or OpenMetrics"],
    ["/snapshot", "the same counts and all tables as JSON"],
    ["/healthz", "whether the process lives"],
    ["/readyz", "whether it counts packets"],
  ];
  const items = links.map(([path, what]) => `<li><a href="${path}">${path}</a>: ${what}</li>`).join("\n");
  const body = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>netwatch</title>
<style>body{font-family:sans-serif;margin:3em;max-width:40em}</style></head>
<body><h1>netwatch</h1><p>${producer}: which service talks to which on this host.</p>
<ul>
${items}
</ul></body></html>
`;
  return { status: 200, type: "text/html; charset=utf-8", body };
}
