/** What the table of each application protocol shows beside requests, errors and durations. */
import { dnsOutcome } from "../app/dns/dns-message.js";
import { postgresOutcome } from "../app/postgres/postgres-words.js";
import { redisOutcome } from "../app/redis/redis-words.js";
import { tlsOutcome } from "../app/tls/tls-outcome.js";
import type { Column } from "../snapshot.js";
import { type ApplicationTable, commonestOutcome, countOutcomes, textOr } from "./applications.js";

const STATUS_CLASSES = [2, 3, 4, 5] as const;
/** Outcomes of success. */
const REDIS_ANSWERS: ReadonlySet<string> = new Set(["OK", "QUEUED"]);
const SQL_SUCCESS = 0;
/** RFC 1035 4.1.1 */
const NXDOMAIN = 3;
const SERVFAIL = 2;

const COMMONEST: Column = { name: "error", title: "Commonest error", kind: "text" };

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
    cells: (sum) => ({
      error: textOr(
        commonestOutcome(sum, (outcome) => !REDIS_ANSWERS.has(redisOutcome(outcome))),
        redisOutcome,
      ),
    }),
  },
  {
    name: "postgres",
    title: "PostgreSQL",
    operation: "Statement",
    columns: [{ ...COMMONEST, title: "Commonest SQLSTATE" }],
    cells: (sum) => ({
      error: textOr(
        commonestOutcome(sum, (outcome) => outcome !== SQL_SUCCESS),
        postgresOutcome,
      ),
    }),
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
      error: textOr(
        commonestOutcome(sum, (rcode) => rcode !== 0),
        dnsOutcome,
      ),
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
      const failed = commonestOutcome(sum, (outcome) => tlsOutcome(outcome).alert !== null);
      return {
        version: agreed === null ? null : tlsOutcome(agreed).version,
        alpn: agreed === null ? null : tlsOutcome(agreed).alpn,
        error: failed === null ? null : tlsOutcome(failed).alert,
      };
    },
  },
];
