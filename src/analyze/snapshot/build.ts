/** Builds the Snapshot from the analyzer's counts. */

import type { ConntrackNamespace } from "../../capture/conntrack/tracker.js";
import type { Names } from "../../capture/names/names.js";
import type { SourceFailure } from "../../capture/polled-source.js";
import { type Analyzer, SERIES_CLASSES } from "../analyzer.js";
import { APPLICATION_NAMES } from "../app/applications.js";
import { EndNames } from "../conntrack/ends.js";
import { buildJoined, countVerdicts, summarizeNamespaces } from "../conntrack/joined.js";
import { reconcile } from "../conntrack/reconcile.js";
import { ProtocolSlot } from "../core/layout.js";
import { type CaptureFacts, Evidence } from "../evidence.js";
import { findFindings } from "../findings.js";
import { MALFORMED } from "../flow/headers.js";
import { listTunnels } from "../flow/tunnels.js";
import { sumUp } from "../sums.js";
import { buildTables } from "../tables.js";
import { formatTime } from "../time.js";
import { limitTable } from "./limit.js";
import type { Conntrack, Ledger, LedgerFile, LedgerInterface, SeriesData, Snapshot } from "./snapshot.js";

/** Facts that the analyzer does not have. */
export interface SnapshotContext {
  /** `netwatch 1.2.3`. */
  readonly producer: string;
  readonly files: readonly LedgerFile[];
  /** Interfaces listened to; none given: the packets came from files. */
  readonly interfaces?: readonly LedgerInterface[];
  /** Packets the sources say they lost; null: unknown. */
  readonly dropped: number | null;
  /** null: show addresses. */
  readonly names: Names | null;
  /** Show stand-ins for names that the packets hold: routes, server names. */
  readonly redact?: boolean;
  /** Failed sources of names; absent: none. */
  readonly nameFailures?: readonly SourceFailure[];
  /** Connection tracking, and facts about the capture; absent: not polled. */
  readonly conntrack?: ConntrackContext;
}

export interface ConntrackContext {
  readonly namespaces: readonly ConntrackNamespace[];
  readonly capture: CaptureFacts;
}

/** Builds the Snapshot. Its tables read from the analyzer: use them before it takes further packets. */
export function buildSnapshot(analyzer: Analyzer, context: SnapshotContext): Snapshot {
  const { firstUs, lastUs, firstNanos, lastNanos } = analyzer;
  const { conntrack } = context;
  analyzer.inspector.settle(context.interfaces === undefined);
  const evidence = conntrack
    ? new Evidence(analyzer.flows, conntrack.namespaces, factsOf(analyzer, conntrack.capture))
    : null;
  const sums = sumUp(analyzer, context.names, context.redact ?? false);
  const tables = buildTables(analyzer, sums, evidence);
  const timed = Number.isFinite(firstUs);
  const head = {
    format: "netwatch-snapshot",
    // Equal to SNAPSHOT_VERSION, as the type checks: its file would load the schema.
    version: 2,
    producer: context.producer,
    named: context.names !== null,
    ...(context.redact ? { redacted: true } : {}),
    window: {
      start: timed ? formatTime(firstUs, firstNanos) : null,
      end: timed ? formatTime(lastUs, lastNanos) : null,
      duration: timed ? ((lastUs - firstUs) * 1000 + lastNanos - firstNanos) / 1e9 : 0,
    },
    totals: { packets: analyzer.packets, bytes: analyzer.bytes },
    ledger: buildLedger(analyzer, context, sums.unresolvedBytes),
  } as const;
  const series = buildSeries(analyzer);
  const findings = findFindings({ ...head, series, tables }, sums);
  const section = evidence ? { conntrack: buildConntrack(analyzer, context, evidence) } : {};
  return { ...head, findings, series, ...section, tables };
}

/** What is known of the capture: connections through tunnels that were entered are not in the flow table. */
export function factsOf({ decapsulator }: Analyzer, capture: CaptureFacts): CaptureFacts {
  return { ...capture, gap: capture.gap || (decapsulator?.listEntered().length ?? 0) > 0 };
}

/** Connections kept in the Snapshot one by one; the rest is summed in `other`. */
const CONNECTIONS_KEPT = 1000;

function buildConntrack(
  { flows }: Analyzer,
  { names, conntrack }: SnapshotContext,
  evidence: Evidence,
): Conntrack {
  const counted = reconcile(flows, evidence);
  return {
    namespaces: summarizeNamespaces(conntrack!.namespaces),
    evidence: countVerdicts(flows, evidence),
    ...(counted ? { counted } : {}),
    connections: limitTable(buildJoined(flows, evidence, new EndNames(names)), CONNECTIONS_KEPT),
  };
}

function buildLedger(analyzer: Analyzer, context: SnapshotContext, unresolvedBytes: number | null): Ledger {
  const { protocols } = analyzer;
  const { evicted } = analyzer.flows;
  const damaged = context.files.some((file) => file.damage !== null);
  const missed = analyzer.inspector.operations.missed.list(APPLICATION_NAMES);
  const cutOff = context.interfaces?.some(({ ended, outages }) => ended !== null || outages) ?? false;
  return {
    files: [...context.files],
    interfaces: context.interfaces ? [...context.interfaces] : null,
    packets: analyzer.packets,
    captured_bytes: analyzer.capturedBytes,
    truncated: analyzer.truncated,
    malformed: [...analyzer.malformed].flatMap((packets, i) =>
      packets > 0 ? [{ reason: MALFORMED[i]!, packets }] : [],
    ),
    non_ip: protocols[ProtocolSlot.arp * 2]! + protocols[ProtocolSlot.other * 2]!,
    timeless: analyzer.timeless,
    ...tunnelsOf(analyzer),
    dropped: context.dropped,
    evicted: {
      conversations: evicted.flows,
      packets: evicted.packets + evicted.replyPackets,
      bytes: evicted.bytes + evicted.replyBytes,
    },
    inspection: {
      connections: analyzer.inspector.withoutRoom.connections,
      unfollowed: analyzer.inspector.unfollowed,
      gaps: analyzer.inspector.gaps,
      operations: analyzer.inspector.operations.overflow,
      ...(missed.length > 0 ? { missed } : {}),
    },
    unresolved_bytes: unresolvedBytes,
    ...(context.nameFailures?.length ? { name_sources: [...context.nameFailures] } : {}),
    rounded: analyzer.bytes > Number.MAX_SAFE_INTEGER,
    complete: !damaged && !cutOff && (context.dropped ?? 0) === 0 && missed.length === 0,
  };
}

function tunnelsOf({
  protocols,
  udpTunnels,
  decapsulator,
}: Analyzer): Pick<Ledger, "tunnels" | "decapsulated"> {
  if (decapsulator) {
    const missed = decapsulator.listMissed();
    return { ...(missed.length > 0 ? { tunnels: missed } : {}), decapsulated: decapsulator.listEntered() };
  }
  const packets = (version: ProtocolSlot) => (protocol: number) => protocols[(version + protocol) * 2]!;
  const tunnels = listTunnels(packets(ProtocolSlot.ipv4), packets(ProtocolSlot.ipv6), udpTunnels);
  return tunnels.length > 0 ? { tunnels } : {};
}

function buildSeries(analyzer: Analyzer): SeriesData {
  const { series } = analyzer;
  const steps = Array.from({ length: series.steps }, (_, step) => step);
  return {
    start: series.steps > 0 ? formatTime(series.startUs) : null,
    step: series.stepUs / 1e6,
    classes: SERIES_CLASSES.map((name, i) => ({
      name,
      packets: steps.map((step) => series.packets(step, i)),
      bytes: steps.map((step) => series.bytes(step, i)),
    })).filter((line) => line.packets.some((n) => n > 0)),
  };
}
