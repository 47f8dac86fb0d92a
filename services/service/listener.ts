import { createServer, type Server } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { LabError } from "../lab-error.js";

// longer than any caller keeps an idle connection, so that callers close first: fetch at 4 s, nginx on reload
const KEEP_ALIVE_MS = 30_000;
const CLOSE_DEADLINE_MS = 5_000;

interface Opening {
  port: number;
  server: Server;
  draining: boolean;
}

/** One application on one port at a time, and for a while also on the previous port. */
export class Listener {
  readonly #openings: Opening[] = [];

  constructor(
    private readonly http: FastifyInstance,
    private readonly address: string,
    private readonly ports: readonly number[],
    private readonly drainMs: number,
  ) {}

  get port(): number {
    return this.#openings.find((opening) => !opening.draining)?.port ?? 0;
  }

  get draining(): number[] {
    return this.#openings.filter((opening) => opening.draining).map((opening) => opening.port);
  }

  /** Takes the first free port. */
  async open(): Promise<void> {
    await this.http.ready();
    await this.#openOneOf(this.ports);
  }

  /** Opens another port at random, then lets the old one answer until its callers have left it. */
  async rotate(): Promise<{ from: number; to: number }> {
    const old = this.#openings.find((opening) => !opening.draining)!;
    const taken = new Set(this.#openings.map((opening) => opening.port));
    const opening = await this.#openOneOf(shuffled(this.ports.filter((port) => !taken.has(port))));
    old.draining = true;
    void this.#drain(old);
    return { from: old.port, to: opening.port };
  }

  async close(): Promise<void> {
    await Promise.all(this.#openings.map((opening) => this.#shut(opening)));
    await this.http.close();
  }

  async #drain(old: Opening): Promise<void> {
    await sleep(this.drainMs, undefined, { ref: false });
    await this.#shut(old);
  }

  async #shut(opening: Opening): Promise<void> {
    opening.draining = true;
    const closed = new Promise((resolve) => opening.server.close(resolve));
    opening.server.closeIdleConnections();
    const deadline = setTimeout(() => opening.server.closeAllConnections(), CLOSE_DEADLINE_MS);
    await closed;
    clearTimeout(deadline);
    const index = this.#openings.indexOf(opening);
    if (index >= 0) this.#openings.splice(index, 1);
  }

  async #openOneOf(candidates: readonly number[]): Promise<Opening> {
    for (const port of candidates) {
      const opening: Opening = { port, server: this.#serve(() => opening.draining), draining: false };
      if (await listens(opening.server, this.address, port)) {
        this.#openings.push(opening);
        return opening;
      }
    }
    throw new LabError(`no port is free among ${this.ports.join(", ")}`);
  }

  #serve(isDraining: () => boolean): Server {
    return createServer(
      { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: 10_000, requestTimeout: 15_000 },
      (request, response) => {
        if (isDraining()) response.setHeader("connection", "close");
        this.http.routing(request, response);
      },
    );
  }
}

function listens(server: Server, address: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error),
    );
    server.listen({ host: address, port, backlog: 1024 }, () => resolve(true));
  });
}

function shuffled(ports: readonly number[]): number[] {
  const list = [...ports];
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [list[last], list[other]] = [list[other]!, list[last]!];
  }
  return list;
}
