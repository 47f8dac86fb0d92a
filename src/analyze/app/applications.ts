/** The protocols that are recognised, in the order they are asked. */
import type { Application } from "./application.js";
import { dns } from "./dns.js";
import { HTTP } from "./http.js";
import { postgres } from "./postgres.js";
import { redis } from "./redis.js";

export const KNOWN_APPLICATIONS: readonly Application[] = [HTTP, dns, postgres, redis];
