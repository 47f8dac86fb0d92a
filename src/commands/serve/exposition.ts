/** What a page of metrics is made of, from a Snapshot of files or from the counts of a live run. */

import type { Analyzer } from "../../analyze/analyzer.js";
import { APPLICATION_NAMES } from "../../analyze/app/applications.js";
import { EDGE_PROTOCOLS, EdgeBook, edgeProtocol } from "../../analyze/edges/edge-book.js";
import { EdgeCounter } from "../../analyze/edges/edges.js";
import { RequestCounter } from "../../analyze/edges/request-counter.js";
import { MALFORMED } from "../../analyze/flow/headers.js";
import type { LedgerInterface, Row } from "../../analyze/snapshot/snapshot.js";
import { buildProtocols } from "../../analyze/tables/protocols.js";
import type { ExposedCapture, ExposedInterface } from "../../report/metrics/capture.js";
import type { ExposedEdges } from "../../report/metrics/edges.js";
import { CONNECTION_SUMMED, UNKNOWN_APPLICATION } from "../../view/missing.js";
import type { CaptureResult } from "../analyze/captures.js";

/** Samples a page has unless told otherwise. */
export const DEFAULT_MAX_SERIES = 2000;
/** Of these, what is set aside for all that is not an edge, and for `~other`. */
export const OTHER_SAMPLES = 650;
export const DEFAULT_TTL_SECONDS = 600;

/** Both parts of a page that come from packets. */
export interface ExposedPackets {
  readonly capture: ExposedCapture;
  readonly edges: ExposedEdges;
}

/** Of capture files that have been read to their end. */
export function exposeFiles(
  { snapshot, analyzer, names }: CaptureResult,
  maxSamples: number,
): ExposedPackets {
  const { ledger, tables } = snapshot;
  const book = new EdgeBook({ maxSamples, ttlUs: Number.POSITIVE_INFINITY });
  const counter = new EdgeCounter(analyzer, book.edges);
  counter.countWhole(analyzer, names);
  new RequestCounter(analyzer.inspector, book.requests).update(names, Number.MAX_SAFE_INTEGER);
  const interfaces = ledger.files.map(({ name, packets, damage }) => ({
    name,
    packets,
    dropped: ledger.files.length === 1 ? ledger.dropped : null,
    residual: null,
    up: damage === null,
  }));
  const capture: ExposedCapture = {
    interfaces,
    traffic: trafficOf(tables.protocols.rows),
    truncated: ledger.truncated,
    malformed: ledger.malformed,
    evictedConversations: analyzer.flows.evicted.flows,
    missed: missedOf(analyzer),
    conversations: Number(tables.conversations.rows.length) - (analyzer.flows.departed.flows > 0 ? 1 : 0),
    complete: ledger.complete,
  };
  return { capture, edges: exposeEdges(book, counter) };
}

function exposeEdges({ edges, requests }: EdgeBook, { unresolvedBytes }: EdgeCounter): ExposedEdges {
  return {
    edges: edges.list(),
    requests: requests.list(),
    overflow: edges.overflow + requests.overflow,
    unresolvedBytes,
  };
}

/** Of a live run, whose edges have been brought up to date. */
export function exposeAnalyzer(
  analyzer: Analyzer,
  counter: EdgeCounter,
  book: EdgeBook,
  interfaces: readonly LedgerInterface[],
): ExposedPackets {
  const { flows } = analyzer;
  const capture: ExposedCapture = {
    interfaces: interfaces.map(exposeInterface),
    traffic: trafficOf(buildProtocols(analyzer).rows),
    truncated: analyzer.truncated,
    malformed: MALFORMED.map((reason, i) => ({ reason, packets: analyzer.malformed[i]! })).slice(1),
    evictedConversations: flows.evicted.flows,
    missed: missedOf(analyzer),
    conversations: flows.count,
    complete: interfaces.every(
      ({ ended, outages, dropped }) => ended === null && !outages && (dropped ?? 0) === 0,
    ),
  };
  return { capture, edges: exposeEdges(book, counter) };
}

/** Every counter begins at 0, so that the first that is missed is a rise. */
function missedOf({ inspector }: Analyzer): ExposedCapture["missed"] {
  const summed = {
    application: UNKNOWN_APPLICATION,
    reason: CONNECTION_SUMMED,
    count: inspector.withoutRoom.connections,
  };
  return [...inspector.operations.missed.all(APPLICATION_NAMES), summed];
}

function exposeInterface({
  name,
  netns,
  packets,
  dropped,
  counted,
  residual,
  ended,
}: LedgerInterface): ExposedInterface {
  const missed = counted === null || residual === null ? null : Math.max(0, residual.packets);
  return {
    name: netns === null ? name : `${netns}/${name}`,
    packets,
    dropped,
    residual: missed === null ? null : counted!.packets === 0 ? 0 : missed / counted!.packets,
    up: ended === null,
  };
}

/** The rows of the table of protocols, in the closed set that labels have: known ones begin at 0. */
function trafficOf(rows: Iterable<Row>): ExposedCapture["traffic"] {
  const sums = new Map([...EDGE_PROTOCOLS, "arp", "none"].map((name) => [name, { packets: 0, bytes: 0 }]));
  for (const { protocol, packets, bytes } of rows) {
    const sum = sums.get(protocolLabel(String(protocol)))!;
    sum.packets += Number(packets);
    sum.bytes += Number(bytes);
  }
  return [...sums].map(([protocol, sum]) => ({ protocol, ...sum }));
}

/** The table's OTHER is what is not IP; an edge's `other` is IP of a protocol without a word of its own. */
function protocolLabel(name: string): string {
  if (name === "ARP") return "arp";
  return name === "OTHER" ? "none" : edgeProtocol(name);
}
