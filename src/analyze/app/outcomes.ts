/** What an outcome means in each protocol: tables and findings tell errors by this, and by nothing else. */
import type { ApplicationName } from "./application.js";
import { dnsOutcome, isDnsError } from "./dns/dns-message.js";
import { postgresOutcome } from "./postgres/postgres-words.js";
import { Outcome, redisOutcome } from "./redis/redis-words.js";
import { tlsOutcome } from "./tls/tls-outcome.js";

export interface Outcomes {
  /** What people call the protocol. */
  readonly title: string;
  /** Whether an answer with this outcome counts as an error. */
  readonly isError: (outcome: number) => boolean;
  readonly word: (outcome: number) => string;
}

/** Of the protocols whose requests are followed. */
export const OUTCOMES: Readonly<Record<Exclude<ApplicationName, "http2" | "grpc">, Outcomes>> = {
  http: { title: "HTTP", isError: (status) => status >= 400, word: String },
  redis: { title: "Redis", isError: (outcome) => outcome >= Outcome.otherError, word: redisOutcome },
  postgres: { title: "PostgreSQL", isError: (outcome) => outcome !== 0, word: postgresOutcome },
  dns: { title: "DNS", isError: isDnsError, word: dnsOutcome },
  tls: {
    title: "TLS",
    isError: (outcome) => tlsOutcome(outcome).alert !== null,
    word: (outcome) => tlsOutcome(outcome).alert ?? "",
  },
};
