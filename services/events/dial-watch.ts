import type { Tenancy } from "../shop/registry-book.js";
import type { LabEvent } from "./event.js";
import { Growth } from "./growth.js";
import type { DialNote } from "./nft-list.js";
import type { Places } from "./places.js";

const MAX_TOLD = 20;

/** New connections since the previous look. */
export interface Dial {
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  readonly count: number;
}

export class DialWatch {
  readonly #growth = new Growth();

  look(dials: readonly DialNote[]): Dial[] {
    const keyOf = ({ source, destination, port }: DialNote) => `${source} ${destination} ${port}`;
    const grown = this.#growth.look(new Map(dials.map((dial) => [keyOf(dial), dial.packets])));
    return dials.flatMap(({ source, destination, port, ...rest }) => {
      const count = grown.get(keyOf({ source, destination, port, ...rest })) ?? 0;
      return count > 0 ? [{ source, destination, port, count }] : [];
    });
  }
}

/**
 * Dials to ports that an instance has left. `since`: time of the previous look, milliseconds. A port that was left
 * later than that is skipped, since the dial may have come before: a client that is a second late is not reported.
 */
export function retiredDials(
  dials: readonly Dial[],
  history: readonly Tenancy[],
  places: Places,
  since: number,
  now: number,
): LabEvent[] {
  return dials
    .flatMap((dial) => {
      const tenancies = history.filter(
        ({ address, port }) => address === dial.destination && port === dial.port,
      );
      const left = tenancies.reduce((latest, { to }) => Math.max(latest, to ?? Number.POSITIVE_INFINITY), 0);
      const tenant = tenancies.at(-1);
      return tenant !== undefined && left <= since ? [{ dial, tenant, left }] : [];
    })
    .sort((a, b) => b.dial.count - a.dial.count)
    .slice(0, MAX_TOLD)
    .map(({ dial, tenant, left }) => {
      const seconds = Math.round((now - left) / 1000);
      const client = places.nameOf(dial.source);
      return {
        event: "retired-port-dial",
        severity: "warning",
        text: `${client} dials ${tenant.instance} at port ${dial.port}, which it left ${seconds} s ago`,
        fields: {
          service: tenant.service,
          instance: tenant.instance,
          address: dial.destination,
          port: dial.port,
          client,
          client_address: dial.source,
        },
        details: { retired_seconds: seconds },
        count: dial.count,
      };
    });
}
