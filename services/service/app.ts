import { ftruncateSync } from "node:fs";
import fastify, { type FastifyInstance, LogController } from "fastify";
import { Counter, Gauge, Histogram, Registry } from "prom-client";

export interface App {
  http: FastifyInstance;
  metrics: Registry;
}

const BODY_LIMIT_BYTES = 64 << 10;
/** A log that has grown past this starts again: the lab must not fill /run. */
const LOG_LIMIT_BYTES = 8 << 20;

/** A Fastify application with the common parts of every service: logs, metrics, health, errors as JSON. It does not listen yet. */
export function createApp(name: string, health: () => Record<string, unknown> = () => ({})): App {
  const metrics = new Registry();
  metrics.setDefaultLabels({ instance: name });
  const http = fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    logger: { level: "info", base: { instance: name }, stream: { write: boundedWriter() } },
    logController: new LogController({ disableRequestLogging: true }),
    requestIdHeader: "x-request-id",
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
    return503OnClosing: false,
  });
  measure(http, metrics);
  http.setErrorHandler((error: Error & { statusCode?: number; expose?: boolean }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status >= 500) request.log.error({ err: error }, "request failed");
    return reply
      .code(status)
      .send({ error: status < 500 || error.expose ? error.message : "internal error" });
  });
  http.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: "no such resource" }));
  http.get("/health", { logLevel: "warn" }, () => ({ status: "ok", instance: name, ...health() }));
  http.get("/metrics", { logLevel: "warn" }, async (_request, reply) => {
    reply.header("content-type", metrics.contentType);
    return metrics.metrics();
  });
  return { http, metrics };
}

function measure(http: FastifyInstance, metrics: Registry): void {
  const requests = new Counter({
    name: "http_requests_total",
    help: "Requests answered.",
    labelNames: ["method", "route", "status"],
    registers: [metrics],
  });
  const seconds = new Histogram({
    name: "http_request_duration_seconds",
    help: "Time from request to answer.",
    labelNames: ["route"],
    buckets: [0.005, 0.02, 0.1, 0.5, 2],
    registers: [metrics],
  });
  new Gauge({
    name: "process_resident_memory_bytes",
    help: "Resident memory.",
    registers: [metrics],
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  http.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "none";
    requests.inc({ method: request.method, route, status: reply.statusCode });
    seconds.observe({ route }, reply.elapsedTime / 1000);
    request.log.info(
      {
        method: request.method,
        route,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        // behind the balancer the header names the client; between services it is the caller itself
        client: request.headers["x-real-ip"] ?? request.ip,
      },
      "request",
    );
  });
}

function boundedWriter(): (line: string) => void {
  let written = 0;
  return (line) => {
    written += line.length;
    if (written > LOG_LIMIT_BYTES) {
      written = line.length;
      try {
        ftruncateSync(1, 0);
      } catch {
        // a terminal or a pipe has no length
      }
    }
    process.stdout.write(line);
  };
}
