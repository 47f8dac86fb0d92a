/** The protocols that are recognised, in the order they are asked: the strict before the lax. */
import type { Application } from "./application.js";
import { dns } from "./dns.js";
import { http } from "./http.js";
import { grpc, http2 } from "./http2.js";
import { postgres } from "./postgres.js";
import { redis } from "./redis.js";
import { tls } from "./tls.js";

export const KNOWN_APPLICATIONS: readonly Application[] = [tls, grpc, http2, http, dns, postgres, redis];
