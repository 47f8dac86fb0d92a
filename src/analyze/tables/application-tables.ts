/** What the table of each application protocol shows beside requests, errors and durations. */
import { type ApplicationTable, countOutcomes } from "./applications.js";

const STATUS_CLASSES = [2, 3, 4, 5] as const;

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
  { name: "redis", title: "Redis", operation: "Command", columns: [], cells: () => ({}) },
  {
    name: "postgres",
    title: "PostgreSQL",
    operation: "Statement",
    columns: [],
    cells: () => ({}),
  },
  { name: "dns", title: "DNS", operation: "Type", columns: [], cells: () => ({}) },
  { name: "tls", title: "TLS", operation: "Server name", columns: [], cells: () => ({}) },
];
