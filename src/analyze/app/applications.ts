/** The protocols that are recognised, in the order they are asked: the strict before the lax. */
import type { Application } from "./application.js";
import { dns } from "./dns/dns.js";
import { http } from "./http/http.js";
import { grpc, http2 } from "./http/http2.js";
import { postgres } from "./postgres/postgres.js";
import { redis } from "./redis/redis.js";
import { startTls } from "./starttls/starttls.js";
import { tls } from "./tls/tls.js";

export const KNOWN_APPLICATIONS: readonly Application[] = [
  tls,
  grpc,
  http2,
  http,
  startTls,
  dns,
  postgres,
  redis,
];
