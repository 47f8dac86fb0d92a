/** The exporter's web server: GET of a few pages, and bounds on everything that a client can ask for. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { Authenticator, type Compare } from "../users/basic-auth.js";
import type { AllowedHosts } from "./allowed-hosts.js";
import { type Connection, Connections } from "./connections.js";
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
  "early",
  "host",
  "malformed",
  "method",
  "path",
  "too_large",
  "timeout",
] as const;
export type Refusal = (typeof REFUSALS)[number];

const MAX_HEADER_BYTES = 8192;
const MAX_HEADERS = 64;
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
/** OpenSSL's SSL_OP_NO_RENEGOTIATION, which node:crypto does not name: a client could make the server compute again and again. */
const NO_RENEGOTIATION = 2 ** 30;

export interface WebServerParts {
  readonly routes: ReadonlyMap<string, Route>;
  readonly hosts: AllowedHosts;
  /** How passwords are compared; null: no configuration will have users. */
  readonly compare: Compare | null;
  readonly answerMs?: number;
}

export class WebServer {
  readonly refused = new Map<string, number>(REFUSALS.map((reason) => [reason, 0]));
  readonly #routes: ReadonlyMap<string, Route>;
  readonly #hosts: AllowedHosts;
  readonly #compare: Compare | null;
  readonly #underWay = new Map<Route, number>();
  readonly #server: Server | TlsServer;
  readonly #listener: Listener;
  readonly connections: Connections;
  #config: WebConfig;
  #authenticator: Authenticator | null = null;

  constructor({ routes, hosts, compare, answerMs = ANSWER_MS }: WebServerParts, config: WebConfig) {
    this.#routes = routes;
    this.#hosts = hosts;
    this.#compare = compare;
    this.#config = config;
    const { tls } = config;
    this.#server = tls === null ? createServer(LIMITS) : createTlsServer({ ...LIMITS, ...tlsOptions(tls) });
    this.#listener = new Listener(this.#server);
    this.connections = new Connections(this.#server, tls !== null, answerMs, () => this.#count("timeout"));
    this.use(config);
    this.#server.maxHeadersCount = MAX_HEADERS;
    // Whoever waits for `100 Continue` before a body is answered without it: no body is wanted.
    for (const event of ["request", "checkContinue", "checkExpectation"])
      this.#server.on(event, (request, response) => void this.#answer(request, response));
    this.#server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#refuseRaw(error, socket));
    this.#server.on("secureConnection", (socket: TLSSocket) => this.#checkClient(socket));
  }

  /** Takes effect for the connections and requests to come. Whether there is TLS, and client certificates, cannot change. */
  use(config: WebConfig): void {
    this.#config = config;
    if (config.tls !== null) (this.#server as TlsServer).setSecureContext(config.tls.context);
    if (config.users === null) this.#authenticator = null;
    else if (this.#authenticator === null)
      this.#authenticator = new Authenticator(config.users, this.#compare ?? (() => Promise.reject()));
    else this.#authenticator.users = config.users;
  }

  /** Begins to serve; gives the port. Throws the system's error. */
  listen(host: string | undefined, port: number): Promise<number> {
    return this.#listener.listen(host, port);
  }

  async close(): Promise<void> {
    await this.#listener.close();
    this.connections.close();
  }

  #checkClient(socket: TLSSocket): void {
    const { tls } = this.#config;
    if (tls === null || isWelcome(socket, tls)) return;
    this.#count("auth");
    socket.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const connection = this.connections.of(socket);
    if (connection === null || !this.connections.begin(connection)) return;
    const answer = new Answer(request, response, connection);
    response.on("close", () => this.connections.end(connection, answer.bytes));
    response.on("error", () => socket.destroy());
    try {
      await this.#route(answer);
    } catch {
      if (!response.headersSent) this.#refuse(answer, null, 500, "internal error");
      else socket.destroy();
    }
  }

  async #route(answer: Answer): Promise<void> {
    const { request, response, connection } = answer;
    const { method, headers, socket } = request;
    if (this.connections.isTooFarAhead(connection))
      return this.#refuse(answer, "busy", 503, "too many requests sent ahead");
    if (!this.#hosts.allows(headers.host, socket.localAddress))
      return this.#refuse(answer, "host", 421, "not a name of this server: add it with --allow-host");
    if (method !== "GET" && method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return this.#refuse(answer, "method", 405, "only GET and HEAD");
    }
    if (hasBody(request)) return this.#refuse(answer, "body", 413, "a request has no body here");
    if (this.#authenticator !== null) {
      const verdict = await this.#authenticator.check(headers.authorization, connection.source);
      if (verdict === "busy") return this.#refuse(answer, "busy", 503, "too many logins at once");
      if (verdict === "early") return this.#refuse(answer, "early", 429, "another login is looked at first");
      if (verdict === "refused") {
        response.setHeader("WWW-Authenticate", 'Basic realm="netwatch", charset="UTF-8"');
        return this.#refuse(answer, "auth", 401, "unauthorized");
      }
    }
    const route = this.#routes.get((request.url ?? "").split("?")[0]!);
    if (route === undefined) return this.#refuse(answer, "path", 404, "not found");
    const underWay = this.#underWay.get(route) ?? 0;
    if (underWay >= route.atOnce) return this.#refuse(answer, "busy", 503, "too many requests at once");
    this.#underWay.set(route, underWay + 1);
    try {
      const page = await route.make(headers.accept ?? "");
      await this.#sendPage(answer, page);
    } finally {
      this.#underWay.set(route, this.#underWay.get(route)! - 1);
    }
  }

  async #sendPage(answer: Answer, page: Page): Promise<void> {
    const { request, response } = answer;
    const plain = Buffer.from(page.body);
    const zipped = plain.length >= GZIP_FROM && accepts(request.headers["accept-encoding"] ?? "", "gzip") > 0;
    const body = zipped ? await compress(plain, { level: 1 }) : plain;
    if (!answer.reserve(this.connections, body.length))
      return this.#refuse(answer, "busy", 503, "too many answers wait for their readers");
    response.setHeader("Vary", "Accept, Accept-Encoding");
    if (zipped) response.setHeader("Content-Encoding", "gzip");
    this.#writeHead(response, page.status, page.type, body.length);
    response.end(body);
  }

  /** Says why, and that nothing more is answered here. The client has a moment to read it before the connection goes. */
  #refuse(answer: Answer, reason: Refusal | null, status: number, words: string): void {
    const { request, response, connection } = answer;
    if (reason !== null) this.#count(reason);
    const body = Buffer.from(`${words}\n`);
    response.setHeader("Connection", "close");
    if (status === 503 || status === 429) response.setHeader("Retry-After", "1");
    this.#writeHead(response, status, "text/plain; charset=utf-8", body.length);
    this.connections.refuse(connection, null);
    if (!hasBody(request)) return void response.end(body);
    // Closing with bytes unread resets the connection, and the answer may be lost with it.
    response.write(body);
    request.on("end", () => response.end());
    request.resume();
  }

  #writeHead(response: ServerResponse, status: number, type: string, length: number): void {
    for (const [name, value] of Object.entries(this.#config.headers)) response.setHeader(name, value);
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    response.setHeader("Cache-Control", "no-store");
    response.setHeader("Content-Type", type);
    response.setHeader("Content-Length", length);
    response.writeHead(status);
  }

  /** What came could not be read as a request, or did not come in time. */
  #refuseRaw({ code }: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.connections.of(socket);
    if (connection === null) {
      socket.destroy();
      return;
    }
    const { state, answers, isLast } = connection;
    if (state === "refused" || isLast) return;
    if (state === "handshake" || !socket.writable || code === "ECONNRESET" || code === "EPIPE") {
      this.connections.drop(connection, state === "handshake" ? "handshake" : null);
      return;
    }
    const [reason, line] = RAW_ANSWERS[code ?? ""] ?? (["malformed", "400 Bad Request"] as const);
    this.#count(reason);
    if (answers > 0) connection.isLast = true;
    else
      this.connections.refuse(
        connection,
        `HTTP/1.1 ${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      );
  }

  #count(reason: Refusal): void {
    this.refused.set(reason, this.refused.get(reason)! + 1);
  }
}

/** One request and what it is answered. */
class Answer {
  /** Room taken for what the client has not read yet. */
  bytes = 0;

  constructor(
    readonly request: IncomingMessage,
    readonly response: ServerResponse,
    readonly connection: Connection,
  ) {}

  reserve(connections: Connections, bytes: number): boolean {
    if (!connections.send(this.connection, bytes)) return false;
    this.bytes = bytes;
    return true;
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined;
}

const RAW_ANSWERS: Readonly<Record<string, readonly [Refusal, string]>> = {
  HPE_HEADER_OVERFLOW: ["too_large", "431 Request Header Fields Too Large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["timeout", "408 Request Timeout"],
};

/** The certificate of a client is asked for here and judged in `isWelcome`, so that what is demanded can change. */
function tlsOptions({ context, clientAuth }: TlsConfig): object {
  return {
    ...context,
    secureOptions: NO_RENEGOTIATION,
    requestCert: clientAuth !== "NoClientCert",
    rejectUnauthorized: false,
  };
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
