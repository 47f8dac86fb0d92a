/** A server's port: opened, and given up in good order. */
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Answers under way have so long when the program ends. */
const GRACE_MS = 2_000;

export class Listener {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  /** Gives the port. Throws the system's error. */
  async listen(host: string | undefined, port: number): Promise<number> {
    this.#server.listen({ port, backlog: 64, ...(host === undefined ? {} : { host }) });
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no further connection, waits for the answers under way, then ends what is left. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), GRACE_MS);
    await closed;
    clearTimeout(timer);
  }
}
