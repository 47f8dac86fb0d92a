/** The protocols that are recognised, in the order their tables are shown. One line each: everything else derives from their descriptions. */
import type { Application, OverTcp, OverUdp } from "./application.js";
import { dns } from "./dns/dns.js";
import { http } from "./http/http.js";
import { grpc, http2 } from "./http/http2.js";
import { postgres } from "./postgres/postgres.js";
import { redis } from "./redis/redis.js";
import { startTls } from "./starttls/starttls.js";
import { tls } from "./tls/tls.js";

export const APPLICATIONS: readonly Application[] = [http, redis, postgres, dns, tls, http2, grpc, startTls];

/** Those with counted requests. */
export const APPLICATION_NAMES: readonly string[] = APPLICATIONS.filter(({ isSilent }) => !isSilent).map(
  ({ name }) => name,
);

/** A protocol over one transport. */
export interface Spoken<Over> {
  readonly application: Application;
  readonly over: Over;
}

/** The protocols over TCP among some, strict ones first. */
export function overTcp(applications: readonly Application[] = APPLICATIONS): readonly Spoken<OverTcp>[] {
  return spoken(applications, ({ transports }) => transports.tcp);
}

/** The protocols over UDP among some, strict ones first. */
export function overUdp(applications: readonly Application[] = APPLICATIONS): readonly Spoken<OverUdp>[] {
  return spoken(applications, ({ transports }) => transports.udp);
}

function spoken<Over>(
  applications: readonly Application[],
  overOf: (application: Application) => Over | undefined,
): readonly Spoken<Over>[] {
  return applications
    .flatMap((application) => {
      const over = overOf(application);
      return over === undefined ? [] : [{ application, over }];
    })
    .sort((x, y) => x.application.strictness - y.application.strictness);
}
