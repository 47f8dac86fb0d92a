/** All tables of what an analyzer holds. */
import type { Names } from "../capture/names/names.js";
import type { Analyzer } from "./analyzer.js";
import type { Evidence } from "./evidence.js";
import { TcpWatch } from "./findings/tcp.js";
import type { FindingScene } from "./findings.js";
import { Labels } from "./labels.js";
import type { Tables } from "./snapshot.js";
import { buildApplications, sumOperations } from "./tables/applications.js";
import { buildConversations } from "./tables/conversations.js";
import { buildEndpoints } from "./tables/endpoints.js";
import { buildPairs } from "./tables/pairs.js";
import { buildProtocols } from "./tables/protocols.js";
import { buildTalkers } from "./tables/talkers.js";
import { buildTcp, TcpPairs } from "./tables/tcp.js";

/** The tables, what findings are made of, and the bytes of flows that have an end without a name (null when that cannot be told). */
export interface BuiltTables {
  readonly scene: FindingScene;
  readonly tables: Tables;
  readonly unresolvedBytes: number | null;
}

/** Builds the tables. They read from the analyzer: use them before it goes on. */
export function buildTables(
  analyzer: Analyzer,
  names: Names | null,
  evidence: Evidence | null,
  redact: boolean,
): BuiltTables {
  const labels = new Labels(analyzer.flows, names);
  const addresses = names === null ? labels : new Labels(analyzer.flows, null);
  const operations = sumOperations(analyzer, names, redact);
  const { flows, inspector } = analyzer;
  const pairs = new TcpPairs(flows, inspector, labels);
  const watch = new TcpWatch({
    source: (pair) => pairs.source(pair),
    destination: (pair) => pairs.destination(pair),
    text: (label) => labels.text(label),
    handshakeP50Us: (pair) => pairs.durations(pair).handshakeP50,
  });
  const tcp = buildTcp(analyzer, labels, pairs, (pair, sum) => watch.add(pair, sum));
  return {
    tables: {
      pairs: buildPairs(analyzer, labels),
      protocols: buildProtocols(analyzer),
      talkers: buildTalkers(analyzer, labels),
      conversations: buildConversations(analyzer, labels, addresses, evidence, tcp.total),
      endpoints: buildEndpoints(analyzer, addresses, names),
      tcp: tcp.table,
      ...buildApplications(operations),
    },
    scene: { flows, inspector, labels, addresses, names, tcp: watch, operations },
    unresolvedBytes: labels.rest < 0 ? null : sumUnresolved(analyzer, labels),
  };
}

function sumUnresolved({ flows }: Analyzer, labels: Labels): number {
  let bytes = 0;
  for (let flow = 0; flow < flows.count; flow++) {
    if (labels.of(flow, false) !== labels.rest && labels.of(flow, true) !== labels.rest) continue;
    bytes += flows.bytes(flow, false) + flows.bytes(flow, true);
  }
  return bytes;
}
