/** A page that has every metric there is, and one of many edges. */

import { HANDSHAKE_BOUNDS, REQUEST_BOUNDS } from "../../analyze/edges/histogram.js";
import type { Table } from "../../analyze/snapshot/snapshot.js";
import type { ExposedEdge, ExposedRequests } from "./edges.js";
import { type Exposition, renderExposition } from "./exposition.js";
import type { ExpositionFormat } from "./metric.js";

const tableOf = (rows: readonly Record<string, string | number | null>[]): Table => ({
  name: "",
  title: "",
  columns: [],
  rows,
  total: {},
  omitted: 0,
});

/** So many edges, their names and numbers all different. */
export function manyEdges(count: number): ExposedEdge[] {
  return Array.from({ length: count }, (_, i) => ({
    source: `service-${i % 40}`,
    destination: `service-${Math.floor(i / 40)}`,
    kind: "tcp",
    sentPackets: i * 1001,
    sentBytes: i * 1_000_003,
    receivedPackets: i * 999,
    receivedBytes: i * 999_983,
    opened: i,
    failed: i,
    retransmitted: i,
    handshakes: {
      bounds: HANDSHAKE_BOUNDS,
      counts: HANDSHAKE_BOUNDS.map((_, at) => at * i),
      count: i * 9,
      sum: i,
    },
  }));
}

const REQUESTS: readonly ExposedRequests[] = [
  {
    source: "service-0",
    destination: "service-1",
    kind: "http",
    requests: 20,
    errors: 2,
    durations: { bounds: REQUEST_BOUNDS, counts: REQUEST_BOUNDS.map((_, at) => at), count: 18, sum: 1.5 },
  },
];

export function fullExposition(edges: readonly ExposedEdge[]): Exposition {
  return {
    version: "0",
    capture: {
      interfaces: [{ name: "br-app", packets: 5, dropped: 1, residual: 0.5, up: true }],
      traffic: [{ protocol: "tcp", packets: 5, bytes: 500 }],
      truncated: 1,
      malformed: [{ reason: "ip-version", packets: 1 }],
      evictedConversations: 1,
      missed: [{ application: "http", reason: "unreadable message", count: 2 }],
      conversations: 2,
      complete: false,
    },
    edges: { edges, requests: REQUESTS, overflow: 1, unresolvedBytes: 10 },
    connections: {
      tables: {
        services: tableOf([
          {
            source: "service-0",
            destination: "service-0",
            transport: "TCP",
            state: "ESTABLISHED",
            connections: 3,
          },
        ]),
        states: tableOf([{ netns: null, transport: "TCP", state: "ESTABLISHED", connections: 3 }]),
        limits: tableOf([
          {
            netns: null,
            entries: 3,
            limit: 100,
            accounting: "on",
            insert_failed: 0,
            dropped: 0,
            early_dropped: 0,
            resyncs: 0,
            failures: 0,
          },
        ]),
      },
    },
    evidence: [{ verdict: "wire-only", cause: "same-bridge", count: 2 }],
    health: [{ target: "web", up: true, seconds: 0.01, ownSeconds: 0.001 }],
    process: {
      cpuSeconds: 1,
      residentBytes: 1e8,
      startSeconds: 1.7e9,
      loopDelayMax: 0.01,
      loopDelayMean: 0.001,
      scrapes: 1,
      scrapeSeconds: 0.01,
      refused: new Map([["path", 1]]),
      connections: { open: 1, cut: new Map([["idle", 1]]) },
      polls: new Map([["names", { count: 1, seconds: 0.1, failures: 0 }]]),
      reloads: { ok: true, failures: 0 },
    },
  };
}

export function fullPage(format: ExpositionFormat): Promise<string> {
  return renderExposition(fullExposition(manyEdges(2)), format);
}
