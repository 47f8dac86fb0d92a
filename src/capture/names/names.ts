/** Names of addresses: from a names file, and from the capture itself. */
import { statSync } from "node:fs";
import {
  type AddressBytes,
  type Cidr,
  cidrContains,
  formatAddress,
  parseAddress,
  parseCidr,
} from "../../net.js";
import { toPath } from "../../path-bytes.js";
import { readText } from "../file/text.js";
import type { EmbeddedName } from "../packet.js";

/** The key for addresses that a names file does not list. */
export const EXTERNAL = "external";

/** A names file is small; anything larger is a mistake. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_NAME_LENGTH = 255;

/** One name that an address has: always, or only at some ports, or only for a time. */
interface Holding {
  readonly name: string;
  /** Ports of this name, if several share the address; empty: all ports. */
  readonly ports: readonly number[];
  /** Microseconds since 1970, from inclusive, to exclusive. */
  readonly fromUs: number;
  readonly toUs: number;
}

/** Names in full. */
export interface NamesList {
  readonly rest: string | null;
  readonly holdings: readonly (Holding & { readonly address: string })[];
  readonly groups: readonly { readonly cidr: Cidr; readonly name: string }[];
  /** Announced ports besides those of `holdings`. */
  readonly announced: readonly { readonly address: string; readonly ports: readonly number[] }[];
}

/** An invalid names file. `message` is one line with the place of the error, without the file's name. */
export class NamesError extends Error {}

/**
 * The owners of addresses. Ports matter only if several names share one address; an address without an entry gets the name of the
 * longest group (CIDR) around it, else `rest`.
 */
export class Names {
  /** The name of unknown addresses; null: the address itself. */
  readonly rest: string | null;
  readonly #holdings = new Map<string, Holding[]>();
  /** Longest prefix first, if `#groupsSorted`. */
  readonly #groups: { cidr: Cidr; name: string }[] = [];
  #groupsSorted = true;
  /** Ports, by address, that services announced, now or before. */
  readonly #announced = new Map<string, Set<number>>();

  constructor(rest: string | null) {
    this.rest = rest;
  }

  /** Adds a name for an address (bytes), for some ports or all, for a time or always. The first of equal claims takes precedence. */
  add(
    name: string,
    address: AddressBytes,
    ports: readonly number[] = [],
    fromUs = Number.NEGATIVE_INFINITY,
    toUs = Number.POSITIVE_INFINITY,
  ): void {
    const key = formatAddress(address);
    const holding = { name, ports, fromUs, toUs };
    const held = this.#holdings.get(key);
    if (held) held.push(holding);
    else this.#holdings.set(key, [holding]);
  }

  /** Notes that a service announced this port of the address, now or before. Adds no name. */
  announce(address: AddressBytes, port: number): void {
    const key = formatAddress(address);
    const ports = this.#announced.get(key);
    if (ports) ports.add(port);
    else this.#announced.set(key, new Set([port]));
  }

  /** Announced ports of an address (canonical text), current and former. */
  announcedPorts(address: string): ReadonlySet<number> {
    const held = this.#holdings.get(address) ?? [];
    return new Set([...held.flatMap(({ ports }) => ports), ...(this.#announced.get(address) ?? [])]);
  }

  /** Adds a name for all addresses of a block. */
  addGroup(name: string, cidr: Cidr): void {
    this.#groups.push({ cidr, name });
    this.#groupsSorted = false;
  }

  /** Adds all entries to other names. */
  addTo(names: Names): void {
    for (const [address, held] of this.#holdings)
      for (const { name, ports, fromUs, toUs } of held)
        names.add(name, parseAddress(address)!, ports, fromUs, toUs);
    for (const { name, cidr } of this.#groups) names.addGroup(name, cidr);
    for (const [address, ports] of this.#announced)
      for (const port of ports) names.announce(parseAddress(address)!, port);
  }

  /** All entries: passed to `add`, `addGroup` and `announce` in this order they make an equal object. */
  list(): NamesList {
    const holdings = [...this.#holdings].flatMap(([address, held]) =>
      held.map((one) => ({ address, ...one })),
    );
    const announced = [...this.#announced].map(([address, ports]) => ({ address, ports: [...ports] }));
    return { rest: this.rest, holdings, groups: [...this.#groups], announced };
  }

  /** Times at which names start or end, microseconds since 1970, ascending, without duplicates. */
  changesUs(): number[] {
    const times = new Set<number>();
    for (const held of this.#holdings.values())
      for (const { fromUs, toUs } of held) {
        if (Number.isFinite(fromUs)) times.add(fromUs);
        if (Number.isFinite(toUs)) times.add(toUs);
      }
    return [...times].sort((x, y) => x - y);
  }

  /** Whether the name of this address (canonical text) can depend on the port or the time. */
  varies(address: string): boolean {
    const held = this.#holdings.get(address);
    return (
      held !== undefined &&
      (held.length > 1 || Number.isFinite(held[0]!.fromUs) || Number.isFinite(held[0]!.toUs))
    );
  }

  /** The name of an address (canonical text) at a port and time, or null if only `rest` applies. */
  find(address: string, port: number | null, timeUs: number | null): string | null {
    const held = this.#holdings
      .get(address)
      ?.filter((h) => timeUs === null || (h.fromUs <= timeUs && timeUs < h.toUs));
    if (held && held.length > 0) {
      const byPort = held.find((h) => port !== null && h.ports.includes(port));
      return (byPort ?? held.find((h) => h.ports.length === 0) ?? held[0]!).name;
    }
    if (!this.#groupsSorted) {
      this.#groups.sort((a, b) => b.cidr.prefix - a.cidr.prefix);
      this.#groupsSorted = true;
    }
    const bytes = this.#groups.length > 0 ? parseAddress(address) : null;
    return (bytes && this.#groups.find((g) => cidrContains(g.cidr, bytes))?.name) ?? null;
  }

  /** The label of an address: its name, else `rest`, else the address itself. */
  label(address: string, port: number | null, timeUs: number | null): string {
    return this.find(address, port, timeUs) ?? this.rest ?? address;
  }
}

/** The names in a capture file; null: none. Unknown addresses keep their address. */
export function namesOfCapture(embedded: readonly EmbeddedName[]): Names | null {
  if (embedded.length === 0) return null;
  const names = new Names(null);
  for (const { address, name } of embedded) names.add(name, parseAddress(address)!);
  return names;
}

/** Text of pipes, which can be read only once. At most as many as the command line names. */
const PIPES = new Map<string, string>();

/** Reads a names file or a pipe. Throws NamesError if it is invalid, and the system's error if it cannot be read. */
export function readNames(path: string): Names {
  return parseNames(readNamesText(path));
}

/** The text of a names file or a pipe. Throws as `readNames`. */
export function readNamesText(path: string): string {
  const piped = PIPES.get(path);
  if (piped !== undefined) return piped;
  const isPipe = statSync(toPath(path)).isFIFO();
  try {
    const text = readText(path, MAX_FILE_BYTES);
    if (isPipe) PIPES.set(path, text);
    return text;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === undefined
      ? new NamesError((error as Error).message)
      : error;
  }
}

/**
 * Parses a names file: JSON, either plain, `{"web": "10.0.0.10", "db": ["10.0.0.60", "fd00::60"], "office": "192.168.0.0/16"}`,
 * where `"redis": "10.0.0.50:6379"` names one port; or a lab file, `{"services": {"web": {"addresses": [...], "ports": [...]}},
 * "groups": {"office": ["192.168.0.0/16"]}}`, whose other keys are left alone.
 */
export function parseNames(text: string): Names {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    throw new NamesError(`not JSON: ${(error as Error).message}`);
  }
  if (!isObject(root)) throw new NamesError("must be a JSON object of names");
  const names = new Names(EXTERNAL);
  if (isObject(property(root, "services"))) {
    addServices(names, property(root, "services") as object);
    const groups = property(root, "groups");
    if (isObject(groups)) for (const [name, value] of Object.entries(groups)) addAll(names, name, value, []);
  } else {
    for (const [name, value] of Object.entries(root)) addAll(names, name, value, []);
  }
  return names;
}

function addServices(names: Names, services: object): void {
  for (const [name, service] of Object.entries(services)) {
    if (!isObject(service)) throw new NamesError(`${quote(name)}: must be an object with "addresses"`);
    const ports = property(service, "ports") ?? [];
    if (!Array.isArray(ports) || !ports.every(isPort))
      throw new NamesError(`${quote(name)}: "ports" must be a list of port numbers`);
    addAll(names, name, property(service, "addresses"), ports);
  }
}

function addAll(names: Names, name: string, value: unknown, ports: readonly number[]): void {
  if (name === "" || name.length > MAX_NAME_LENGTH)
    throw new NamesError(`${quote(name)}: a name has 1 to ${MAX_NAME_LENGTH} characters`);
  const addresses = typeof value === "string" ? [value] : value;
  if (!Array.isArray(addresses))
    throw new NamesError(`${quote(name)}: must be an address or a list of addresses`);
  for (const address of addresses) addOne(names, name, address, ports);
}

function addOne(names: Names, name: string, text: unknown, ports: readonly number[]): void {
  if (typeof text !== "string") throw new NamesError(`${quote(name)}: an address must be text`);
  const address = parseAddress(text);
  if (address) {
    names.add(name, address, ports);
    return;
  }
  const cidr = parseCidr(text);
  if (cidr) {
    names.addGroup(name, cidr);
    return;
  }
  const match = /^(?:\[([^\]]{1,45})\]|([^:]{1,15})):(\d{1,5})$/.exec(text);
  const host = match && parseAddress(match[1] ?? match[2]!);
  if (!host || !isPort(Number(match[3])))
    throw new NamesError(`${quote(name)}: ${quote(text)} is neither an address nor a block of addresses`);
  names.add(name, host, [Number(match[3])]);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** An own property, never an inherited one. */
function property(of: object, key: string): unknown {
  return Object.hasOwn(of, key) ? (of as Record<string, unknown>)[key] : undefined;
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535;
}

function quote(text: string): string {
  return `"${text.slice(0, 80)}"`;
}
