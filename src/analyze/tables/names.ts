/** What the tables of a Snapshot are called. */
import { APPLICATIONS } from "../app/applications.js";
import type { CoreTable } from "../snapshot.js";

/** Complete: the type says so. */
const CORE: Readonly<Record<CoreTable, true>> = {
  pairs: true,
  protocols: true,
  talkers: true,
  conversations: true,
  endpoints: true,
  tcp: true,
};

/** In the order they are shown. */
export const TABLE_NAMES: readonly string[] = [
  ...Object.keys(CORE),
  ...APPLICATIONS.filter(({ requests }) => requests !== null).map(({ name }) => name),
];
