/** The exporter's web server: GET of a few pages, and bounds on everything that a client can ask for. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { Authenticator } from "./basic-auth.js";
import { Listener } from "./listener.js";
import { accepts } from "./negotiation.js";
import type { TlsConfig, WebConfig } from "./web-config.js";

/** What is answered. */
export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface Route {
  /** Makes the page. One call at a time may be under way for each of `atOnce`; more get 503. */
  readonly make: (accept: string) => Promise<Page>;
  readonly atOnce: number;
}

/** Why requests are refused, as a closed set for the metric. */
export const REFUSALS = [
  "auth",
  "body",
  "busy",
  "malformed",
  "method",
  "path",
  "too_large",
  "timeout",
] as const;
export type Refusal = (typeof REFUSALS)[number];

const MAX_HEADER_BYTES = 8192;
const MAX_HEADERS = 64;
const MAX_CONNECTIONS = 128;
/** A client has so long to send its request. */
const REQUEST_MS = 5_000;
/** And so long to take the answer: Prometheus itself waits 10 seconds. */
const ANSWER_MS = 10_000;
const KEEP_ALIVE_MS = 90_000;
const GZIP_FROM = 1024;

const LIMITS = {
  maxHeaderSize: MAX_HEADER_BYTES,
  headersTimeout: REQUEST_MS,
  requestTimeout: REQUEST_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionsCheckingInterval: 500,
} as const;

const compress = promisify(gzip);

export class WebServer {
  readonly refused = new Map<string, number>(REFUSALS.map((reason) => [reason, 0]));
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #answerMs: number;
  readonly #underWay = new Map<Route, number>();
  readonly #server: Server | TlsServer;
  readonly #listener: Listener;
  #config: WebConfig;
  #authenticator: Authenticator | null = null;

  constructor(routes: ReadonlyMap<string, Route>, config: WebConfig, answerMs = ANSWER_MS) {
    this.#routes = routes;
    this.#answerMs = answerMs;
    this.#config = config;
    const { tls } = config;
    this.#server = tls === null ? createServer(LIMITS) : createTlsServer({ ...LIMITS, ...tlsOptions(tls) });
    this.#listener = new Listener(this.#server);
    this.use(config);
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.maxHeadersCount = MAX_HEADERS;
    this.#server.on("request", (request, response) => void this.#answer(request, response));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#refuseRaw(error, socket));
    this.#server.on("secureConnection", (socket: TLSSocket) => this.#checkClient(socket));
  }

  /** Takes effect for the connections and requests to come. Whether there is TLS, and client certificates, cannot change. */
  use(config: WebConfig): void {
    this.#config = config;
    if (config.tls !== null) (this.#server as TlsServer).setSecureContext(config.tls.context);
    if (config.users === null) this.#authenticator = null;
    else if (this.#authenticator === null) this.#authenticator = new Authenticator(config.users);
    else this.#authenticator.users = config.users;
  }

  /** Begins to serve; gives the port. Throws the system's error. */
  listen(host: string | undefined, port: number): Promise<number> {
    return this.#listener.listen(host, port);
  }

  close(): Promise<void> {
    return this.#listener.close();
  }

  #checkClient(socket: TLSSocket): void {
    const { tls } = this.#config;
    if (tls === null || isWelcome(socket, tls)) return;
    this.#count("auth");
    socket.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const deadline = setTimeout(() => {
      this.#count("timeout");
      request.socket.destroy();
    }, this.#answerMs);
    response.on("close", () => clearTimeout(deadline));
    response.on("error", () => request.socket.destroy());
    try {
      await this.#route(request, response);
    } catch {
      if (!response.headersSent) this.#send(response, 500, "text/plain; charset=utf-8", "internal error\n");
      else request.socket.destroy();
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, headers } = request;
    if (method !== "GET" && method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return this.#refuse(response, "method", 405, "only GET and HEAD");
    }
    if (Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined)
      return this.#refuse(response, "body", 413, "a request has no body here");
    if (this.#authenticator !== null) {
      const verdict = await this.#authenticator.check(headers.authorization);
      if (verdict === "busy") return this.#refuse(response, "busy", 503, "too many logins at once");
      if (verdict === "refused") {
        response.setHeader("WWW-Authenticate", 'Basic realm="netwatch", charset="UTF-8"');
        return this.#refuse(response, "auth", 401, "unauthorized");
      }
    }
    const route = this.#routes.get((request.url ?? "").split("?")[0]!);
    if (route === undefined) return this.#refuse(response, "path", 404, "not found");
    const underWay = this.#underWay.get(route) ?? 0;
    if (underWay >= route.atOnce) return this.#refuse(response, "busy", 503, "too many requests at once");
    this.#underWay.set(route, underWay + 1);
    try {
      const page = await route.make(headers.accept ?? "");
      await this.#sendPage(request, response, page);
    } finally {
      this.#underWay.set(route, this.#underWay.get(route)! - 1);
    }
  }

  async #sendPage(request: IncomingMessage, response: ServerResponse, page: Page): Promise<void> {
    const plain = Buffer.from(page.body);
    const zipped = plain.length >= GZIP_FROM && accepts(request.headers["accept-encoding"] ?? "", "gzip") > 0;
    response.setHeader("Vary", "Accept, Accept-Encoding");
    if (zipped) response.setHeader("Content-Encoding", "gzip");
    this.#send(response, page.status, page.type, zipped ? await compress(plain, { level: 1 }) : plain);
  }

  #refuse(response: ServerResponse, reason: Refusal, status: number, words: string): void {
    this.#count(reason);
    if (status === 413 || status === 405) response.setHeader("Connection", "close");
    if (status === 503) response.setHeader("Retry-After", "1");
    this.#send(response, status, "text/plain; charset=utf-8", `${words}\n`);
  }

  #send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
    for (const [name, value] of Object.entries(this.#config.headers)) response.setHeader(name, value);
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Content-Type", type);
    response.setHeader("Content-Length", Buffer.byteLength(body));
    response.writeHead(status);
    response.end(body);
  }

  /** A request that could not be read as one. */
  #refuseRaw({ code }: NodeJS.ErrnoException, socket: Duplex): void {
    const [reason, line] = RAW_ANSWERS[code ?? ""] ?? (["malformed", "400 Bad Request"] as const);
    if (code !== "ECONNRESET" && code !== "EPIPE") this.#count(reason);
    if (!socket.writable || code === "ECONNRESET") socket.destroy();
    else socket.end(`HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }

  #count(reason: Refusal): void {
    this.refused.set(reason, this.refused.get(reason)! + 1);
  }
}

const RAW_ANSWERS: Readonly<Record<string, readonly [Refusal, string]>> = {
  HPE_HEADER_OVERFLOW: ["too_large", "431 Request Header Fields Too Large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["timeout", "408 Request Timeout"],
};

/** The certificate of a client is asked for here and judged in `isWelcome`, so that what is demanded can change. */
function tlsOptions({ context, clientAuth }: TlsConfig): object {
  return { ...context, requestCert: clientAuth !== "NoClientCert", rejectUnauthorized: false };
}

function isWelcome(socket: TLSSocket, { clientAuth, allowedNames }: TlsConfig): boolean {
  if (clientAuth === "NoClientCert" || clientAuth === "RequestClientCert") return true;
  const certificate = socket.getPeerCertificate();
  const hasOne = certificate !== null && Object.keys(certificate).length > 0;
  if (!hasOne) return clientAuth === "VerifyClientCertIfGiven";
  if (clientAuth === "RequireAnyClientCert") return true;
  if (!socket.authorized) return false;
  if (allowedNames === null) return true;
  const names = (certificate.subjectaltname ?? "").split(", ");
  return names.some((name) => allowedNames.has(name.slice(name.indexOf(":") + 1)));
}
