/** Which names the server answers to: else a page in a browser could read it under a name of its own (DNS rebinding). */
import { isIP } from "node:net";
import { CommandError, ExitCode } from "../../../exit.js";

const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

export class AllowedHosts {
  readonly #names: ReadonlySet<string>;

  /** `listenHost` undefined: every address. Throws CommandError. */
  constructor(listenHost: string | undefined, more: readonly string[]) {
    const names = more.map((text) => {
      const name = normalize(text);
      if (name === null) throw wrong(text);
      return name;
    });
    const own = listenHost === undefined ? null : normalize(listenHost);
    this.#names = new Set(own === null ? names : [own, ...names]);
  }

  /** `header`: HOST or HOST:PORT; undefined: HTTP/1.0, which no browser speaks. `local`: the address the client came to. */
  allows(header: string | undefined, local: string | undefined): boolean {
    if (header === undefined) return true;
    const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]@/]*)(?::\d{0,5})?$/.exec(header);
    const host = match === null ? null : normalize(match[1]!);
    if (host === null) return false;
    return (
      isLoopbackName(host) || this.#names.has(host) || (local !== undefined && host === normalize(local))
    );
  }
}

/** In lower case, without brackets or a last dot; null: neither a name nor an address. */
function normalize(text: string): string | null {
  const bare = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const version = isIP(bare);
  if (version === 4) return text === bare ? bare : null;
  if (version === 6) return canonical(bare);
  const name = text.toLowerCase().replace(/\.$/, "");
  return NAME.test(name) ? name : null;
}

/** An IPv6 address in the one way that URLs have it; one that is IPv4 inside, as IPv4. */
function canonical(address: string): string | null {
  const { hostname } = new URL(`http://[${address.split("%")[0]!}]`);
  const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(hostname);
  if (mapped === null) return hostname.slice(1, -1);
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}

/** Names under `localhost` are loopback's (RFC 6761 6.3). */
function isLoopbackName(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || host === "localhost" || host.endsWith(".localhost");
}

function wrong(text: string): CommandError {
  return new CommandError(
    ExitCode.usage,
    `--allow-host ${text}: must be a host name or an address, without a port`,
  );
}
