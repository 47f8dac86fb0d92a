/** All tables of what an analyzer holds. */
import type { Analyzer } from "./analyzer.js";
import type { Evidence } from "./evidence.js";
import type { Tables } from "./snapshot.js";
import type { Sums } from "./sums.js";
import { buildApplications } from "./tables/applications.js";
import { buildConversations } from "./tables/conversations.js";
import { buildEndpoints } from "./tables/endpoints.js";
import { buildPairs } from "./tables/pairs.js";
import { buildProtocols } from "./tables/protocols.js";
import { buildTalkers } from "./tables/talkers.js";
import { buildTcp } from "./tables/tcp.js";

/** Builds the tables of an analyzer and its sums. They read from both: use them before the analyzer goes on. */
export function buildTables(analyzer: Analyzer, sums: Sums, evidence: Evidence | null): Tables {
  return {
    pairs: buildPairs(analyzer, sums),
    protocols: buildProtocols(analyzer),
    talkers: buildTalkers(analyzer, sums.labels),
    conversations: buildConversations(analyzer, sums, evidence),
    endpoints: buildEndpoints(analyzer, sums.addresses, sums.names),
    tcp: buildTcp(analyzer, sums),
    ...buildApplications(sums.operations),
  };
}
