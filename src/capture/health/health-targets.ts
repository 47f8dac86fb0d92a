/** The targets of health checks: addresses, ports and checks of a names file, and where the registry says they moved. */
import { z } from "zod";
import { cidrContains, formatAddress, parseAddress, parseCidr } from "../../net.js";
import { NamesError, readNamesText } from "../names/names.js";
import type { Tenancy } from "../names/registry-names.js";
import { CHECKS, type CheckKind, type HealthTarget } from "./health.js";

/** More than this would be a scan. */
export const MAX_TARGETS = 256;

const port = z.int().min(1).max(65_535);
const serviceSchema = z.object({
  addresses: z.union([z.string(), z.array(z.string())]),
  ports: z.array(port).default([]),
  moving: z.boolean().default(false),
  health: z
    .string()
    .max(1024)
    .regex(/^(\/[!-~]*|tcp|redis|postgres|none)$/)
    .optional(),
});
const labSchema = z.object({ services: z.record(z.string().min(1).max(255), serviceSchema) });
const plainSchema = z.record(z.string().min(1).max(255), z.union([z.string(), z.array(z.string())]));

const CHECK_OF_PORT: Readonly<Record<number, CheckKind>> = { 6379: "redis", 5432: "postgres" };

/** A service that may be checked, before its port is known. */
export interface HealthCandidate {
  readonly service: string;
  readonly address: string;
  /** null: only the registry knows. */
  readonly port: number | null;
  readonly moving: boolean;
  readonly check: CheckKind;
  readonly path: string;
}

/** Reads the services that a names file allows to check. Throws NamesError, or the system's error. */
export function readHealthCandidates(path: string): HealthCandidate[] {
  return parseHealthCandidates(readNamesText(path));
}

/** Parses a names file of either kind (see `parseNames`). An address without a port cannot be checked and is left out. */
export function parseHealthCandidates(text: string): HealthCandidate[] {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw new NamesError(`not JSON: ${(error as Error).message}`);
  }
  const lab = labSchema.safeParse(root);
  if (lab.success) return Object.entries(lab.data.services).flatMap(([name, of]) => ofService(name, of));
  if (typeof root === "object" && root !== null && Object.hasOwn(root, "services"))
    throw new NamesError(`services: ${lab.error.issues[0]!.path.join(".")}: ${lab.error.issues[0]!.message}`);
  const plain = plainSchema.safeParse(root);
  if (!plain.success) throw new NamesError("must be a JSON object of names");
  return Object.entries(plain.data).flatMap(([service, value]) =>
    [value].flat().flatMap((address) => ofPlain(service, address)),
  );
}

function ofService(service: string, { addresses, ports, moving, health }: z.infer<typeof serviceSchema>) {
  if (health === "none" || (ports.length === 0 && !moving)) return [];
  const first = ports[0] ?? null;
  const isPath = health?.startsWith("/") ?? false;
  const check: CheckKind = isPath
    ? "http"
    : (CHECKS.find((c) => c === health) ?? CHECK_OF_PORT[first ?? 0] ?? "tcp");
  return [addresses].flat().flatMap((text): HealthCandidate[] => {
    const bytes = parseAddress(text);
    const path = isPath ? health! : "";
    return bytes ? [{ service, address: formatAddress(bytes), port: first, moving, check, path }] : [];
  });
}

function ofPlain(service: string, text: string): HealthCandidate[] {
  const match = /^(?:\[([^\]]{1,45})\]|([^:]{1,15})):(\d{1,5})$/.exec(text);
  const bytes = match && parseAddress(match[1] ?? match[2]!);
  const number = Number(match?.[3]);
  if (!bytes || number < 1 || number > 65_535) return [];
  const check = CHECK_OF_PORT[number] ?? "tcp";
  return [{ service, address: formatAddress(bytes), port: number, moving: false, check, path: "" }];
}

/** A network this machine is in: what `os.networkInterfaces` calls `cidr`. */
export function onlyLocal(
  candidates: readonly HealthCandidate[],
  networks: readonly string[],
): HealthCandidate[] {
  const blocks = networks.map(parseCidr).filter((block) => block !== null);
  return candidates.filter(({ address }) => {
    const bytes = parseAddress(address)!;
    return blocks.some((block) => cidrContains(block, bytes));
  });
}

/** The targets as they stand now: a moving service is where the registry last saw it, else at its first port. */
export function targetsOf(
  candidates: readonly HealthCandidate[],
  tenancies: readonly Tenancy[],
): HealthTarget[] {
  const current = new Map<string, number>();
  const registered = new Set(tenancies.map(({ service }) => service));
  for (const { service, text, port: at, toUs } of tenancies)
    if (toUs === Number.POSITIVE_INFINITY) current.set(`${text} ${service}`, at);
  return candidates
    .flatMap(({ service, address, port: fixed, moving, check, path }): HealthTarget[] => {
      const found = current.get(`${address} ${service}`);
      // If the registry knows the service, an address that it does not know gets no requests.
      if (moving && registered.has(service) && found === undefined) return [];
      const at = (moving ? found : undefined) ?? fixed;
      return at === null ? [] : [{ service, address, port: at, check, path }];
    })
    .slice(0, MAX_TARGETS);
}
