/** What the table of each application protocol shows beside requests, errors and durations. */
import { OUTCOMES } from "../app/outcomes.js";
import { tlsOutcome } from "../app/tls/tls-outcome.js";
import type { Cell, Column } from "../snapshot.js";
import { type ApplicationTable, commonestOutcome, countOutcomes, type OperationSum } from "./applications.js";

const STATUS_CLASSES = [2, 3, 4, 5] as const;
/** RFC 1035 4.1.1 */
const NXDOMAIN = 3;
const SERVFAIL = 2;

const COMMONEST: Column = { name: "error", title: "Commonest error", kind: "text" };

/** The outcome that most of the answers had that count as errors; null: none does. */
function commonestError(sum: OperationSum, name: keyof typeof OUTCOMES): Cell {
  const { isError, word } = OUTCOMES[name];
  const outcome = commonestOutcome(sum, isError);
  return outcome === null ? null : word(outcome);
}

export const APPLICATION_TABLES: readonly ApplicationTable[] = [
  {
    name: "http",
    title: "HTTP",
    operation: "Route",
    columns: STATUS_CLASSES.map((first) => ({
      name: `status_${first}xx`,
      title: `${first}xx`,
      kind: "count",
    })),
    cells: (sum) =>
      Object.fromEntries(
        STATUS_CLASSES.map((first) => [
          `status_${first}xx`,
          countOutcomes(sum, (status) => Math.floor(status / 100) === first),
        ]),
      ),
  },
  {
    name: "redis",
    title: "Redis",
    operation: "Command",
    columns: [COMMONEST],
    cells: (sum) => ({ error: commonestError(sum, "redis") }),
  },
  {
    name: "postgres",
    title: "PostgreSQL",
    operation: "Statement",
    columns: [{ ...COMMONEST, title: "Commonest SQLSTATE" }],
    cells: (sum) => ({ error: commonestError(sum, "postgres") }),
  },
  {
    name: "dns",
    title: "DNS",
    operation: "Type",
    columns: [
      { name: "nxdomain", title: "NXDOMAIN", kind: "count" },
      { name: "servfail", title: "SERVFAIL", kind: "count" },
      COMMONEST,
    ],
    cells: (sum) => ({
      nxdomain: countOutcomes(sum, (rcode) => rcode === NXDOMAIN),
      servfail: countOutcomes(sum, (rcode) => rcode === SERVFAIL),
      error: commonestError(sum, "dns"),
    }),
  },
  {
    name: "tls",
    title: "TLS",
    operation: "Server name",
    columns: [
      { name: "version", title: "Version", kind: "text" },
      { name: "alpn", title: "ALPN", kind: "text" },
      { ...COMMONEST, title: "Commonest alert" },
    ],
    cells: (sum) => {
      const agreed = commonestOutcome(sum, (outcome) => tlsOutcome(outcome).version !== null);
      return {
        version: agreed === null ? null : tlsOutcome(agreed).version,
        alpn: agreed === null ? null : tlsOutcome(agreed).alpn,
        error: commonestError(sum, "tls"),
      };
    },
  },
];
