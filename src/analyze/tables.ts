/** All tables of what an analyzer holds. A new table is its builder and a line here; every view reads its own description. */
import type { Analyzer } from "./analyzer.js";
import { APPLICATIONS } from "./app/applications.js";
import type { Evidence } from "./evidence.js";
import type { CoreTable, Table, Tables } from "./snapshot/snapshot.js";
import type { Sums } from "./sums.js";
import { buildApplications } from "./tables/applications.js";
import { buildConversations } from "./tables/conversations.js";
import { buildEndpoints } from "./tables/endpoints.js";
import { buildPairs } from "./tables/pairs.js";
import { buildProtocols } from "./tables/protocols.js";
import { buildTalkers } from "./tables/talkers.js";
import { buildTcp } from "./tables/tcp.js";

type BuildTable = (analyzer: Analyzer, sums: Sums, evidence: Evidence | null) => Table;

/** In the order they are shown. Those that every Snapshot has are all here: the type says so. */
const BUILDERS: Readonly<Record<CoreTable, BuildTable>> & Readonly<Record<string, BuildTable>> = {
  pairs: buildPairs,
  protocols: buildProtocols,
  talkers: buildTalkers,
  conversations: buildConversations,
  endpoints: buildEndpoints,
  tcp: buildTcp,
};

/** Names of a Snapshot's tables, in the order they are shown. */
export const TABLE_NAMES: readonly string[] = [
  ...Object.keys(BUILDERS),
  ...APPLICATIONS.filter(({ requests }) => requests !== null).map(({ name }) => name),
];

/** Builds the tables of an analyzer and its sums. They read from both: use them before the analyzer goes on. */
export function buildTables(analyzer: Analyzer, sums: Sums, evidence: Evidence | null): Tables {
  const built = Object.entries(BUILDERS).map(([name, build]) => [name, build(analyzer, sums, evidence)]);
  return { ...Object.fromEntries(built), ...buildApplications(sums.operations) } as Tables;
}
