/** Which tables there are of what services ask of each other. */
import type { TableName } from "../analyze/snapshot.js";

/** Tables of application protocols, in the order they are shown. */
export const APPLICATION_TABLE_NAMES = [
  "http",
  "redis",
  "postgres",
  "dns",
  "tls",
] as const satisfies readonly TableName[];
