/** Small JSON answers of local services by HTTP: one configured address, no redirects, limits on time and size, checked by a schema. */
import { type ClientRequest, get, type IncomingMessage, type RequestOptions } from "node:http";
import type { z } from "zod";
import { exceededLimit, type JsonCost } from "./json-limits.js";

/** Where a service listens: a unix socket, or `http://host:port` (a path in it is kept). */
export type ServiceAddress = { readonly socketPath: string } | { readonly url: URL };

export interface JsonLimits {
  /** From the call to the last byte. */
  readonly timeoutMs: number;
  readonly bytes: number;
  readonly cost: JsonCost;
}

/** Docker lists a thousand containers within half of these; nothing local needs more. Answers within the limits are parsed while packets wait. */
export const LIMITS: JsonLimits = {
  timeoutMs: 2000,
  bytes: 8 * 1024 * 1024,
  cost: { depth: 32, values: 200_000 },
};

/** A service that cannot be used now, and why, in one line. */
export class ServiceError extends Error {
  /** The system's error code, if any: ENOENT, EACCES, ECONNREFUSED. */
  readonly code: string | null;

  constructor(message: string, code: string | null = null) {
    super(message);
    this.code = code;
  }
}

export interface JsonAnswer<T> {
  readonly value: T;
  readonly headers: IncomingMessage["headers"];
}

/** Requests `path` and returns the checked answer. Throws only ServiceError. */
export async function getJson<T>(
  address: ServiceAddress,
  path: string,
  schema: z.ZodType<T>,
  limits: JsonLimits = LIMITS,
): Promise<JsonAnswer<T>> {
  if ("url" in address && address.url.protocol !== "http:")
    throw new ServiceError(`only http is spoken, not ${address.url.protocol.slice(0, -1)}`);
  const { body, headers } = await read(address, path, limits);
  const exceeded = exceededLimit(body, limits.cost);
  if (exceeded === "depth") throw new ServiceError(`answer nested deeper than ${limits.cost.depth}`);
  if (exceeded === "values") throw new ServiceError(`answer of more than ${limits.cost.values} values`);
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw new ServiceError("answered with something other than JSON");
  }
  const result = schema.safeParse(value);
  if (result.success) return { value: result.data, headers };
  const issue = result.error.issues[0]!;
  throw new ServiceError(`unexpected answer: ${issue.path.join(".").slice(0, 80)}: ${issue.message}`);
}

function read(
  address: ServiceAddress,
  path: string,
  limits: JsonLimits,
): Promise<{ body: Buffer; headers: IncomingMessage["headers"] }> {
  return new Promise((resolve, reject) => {
    const fail = (error: ServiceError) => {
      clearTimeout(timer);
      reject(error);
      request.destroy();
    };
    const request: ClientRequest = get(optionsOf(address, path), (response) => {
      const { statusCode, headers } = response;
      if (statusCode !== 200) {
        const what = statusCode !== undefined && statusCode >= 300 && statusCode < 400 ? " (a redirect)" : "";
        fail(new ServiceError(`answered with status ${statusCode}${what}`));
        return;
      }
      const pieces: Buffer[] = [];
      let size = 0;
      response.on("data", (piece: Buffer) => {
        size += piece.length;
        if (size > limits.bytes) fail(new ServiceError(`answer larger than ${limits.bytes} bytes`));
        else pieces.push(piece);
      });
      response.on("error", () => fail(new ServiceError("answer cut short")));
      response.on("end", () => {
        clearTimeout(timer);
        resolve({ body: Buffer.concat(pieces), headers });
      });
    });
    const timer = setTimeout(
      () => fail(new ServiceError(`no answer within ${limits.timeoutMs / 1000} s`, "ETIMEDOUT")),
      limits.timeoutMs,
    );
    request.on("error", (error: NodeJS.ErrnoException) =>
      fail(new ServiceError(describeError(error), error.code)),
    );
  });
}

function optionsOf(address: ServiceAddress, path: string): RequestOptions {
  const common = { agent: false, headers: { accept: "application/json" } } as const;
  if ("socketPath" in address)
    return {
      ...common,
      socketPath: address.socketPath,
      path,
      headers: { ...common.headers, host: "localhost" },
    };
  const { hostname, port, pathname } = address.url;
  const host = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  return { ...common, host, port: port === "" ? 80 : Number(port), path: pathname.replace(/\/$/, "") + path };
}

const MESSAGES: Readonly<Record<string, string>> = {
  ENOENT: "no such socket",
  EACCES: "permission denied",
  ECONNREFUSED: "nobody listens",
  ECONNRESET: "connection broken off",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
};

function describeError(error: NodeJS.ErrnoException): string {
  return MESSAGES[error.code ?? ""] ?? error.message.slice(0, 120);
}
