/** The owners of ports over time, from the lab's service registry: `GET /history` (services/README.md). */
import { z } from "zod";
import { formatAddress, parseAddress } from "../../net.js";
import { getJson, type JsonLimits, LIMITS } from "./json-client.js";

const MAX_TENANCIES = 20_000;

/** The registry keeps 5,000 tenancies of some 130 bytes and six values each. */
export const REGISTRY_LIMITS: JsonLimits = {
  ...LIMITS,
  bytes: 1024 * 1024,
  cost: { depth: 8, values: 200_000 },
};

const historySchema = z.object({
  history: z.array(
    z.object({
      service: z.string().min(1).max(255),
      instance: z.string().max(255),
      address: z.string().max(45),
      port: z.int().min(1).max(65_535),
      from: z.number().nonnegative().describe("Milliseconds since 1970"),
      to: z.number().nonnegative().nullable().describe("null: still open"),
    }),
  ),
});

/** One port of one instance, from when to when. */
export interface Tenancy {
  readonly service: string;
  readonly instance: string;
  /** Its address, canonical text. */
  readonly text: string;
  readonly port: number;
  /** Microseconds since 1970, from inclusive, to exclusive. */
  readonly fromUs: number;
  readonly toUs: number;
  /** In the last of a list: earlier ones beyond the limit; absent: none. */
  readonly omitted?: number;
}

/** Parses the registry's answer; entries with an invalid address are left out. Throws ZodError. */
export function parseHistory(value: unknown): Tenancy[] {
  return tenanciesOf(historySchema.parse(value));
}

/** The registry's history. Throws ServiceError. */
export async function readRegistry(url: URL, limits: JsonLimits = REGISTRY_LIMITS): Promise<Tenancy[]> {
  return tenanciesOf((await getJson({ url }, "/history", historySchema, limits)).value);
}

function tenanciesOf({ history }: z.infer<typeof historySchema>): Tenancy[] {
  const tenancies = history
    .slice(-MAX_TENANCIES)
    .flatMap(({ service, instance, address, port, from, to }) => {
      const bytes = parseAddress(address);
      const toUs = to === null ? Number.POSITIVE_INFINITY : to * 1000;
      if (!bytes) return [];
      const text = formatAddress(bytes);
      return [{ service, instance, text, port, fromUs: from * 1000, toUs }];
    });
  const omitted = history.length - MAX_TENANCIES;
  const last = tenancies.pop();
  return last === undefined ? [] : [...tenancies, omitted > 0 ? { ...last, omitted } : last];
}
