/** Where the exporter listens: `HOST:PORT`, `[IPv6]:PORT`, `:PORT` (everywhere). */
import { isIP } from "node:net";
import { CommandError, ExitCode } from "../../../exit.js";

/** Not taken by another exporter in Prometheus' list of ports. */
const DEFAULT_LISTEN = "127.0.0.1:9810";

export interface ListenAddress {
  /** undefined: every address. */
  readonly host: string | undefined;
  readonly port: number;
}

/** Throws CommandError. */
export function parseListen(text = DEFAULT_LISTEN): ListenAddress {
  const match = /^(?:\[([^\]]{1,45})\]|([^:[\]]{0,253})):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  const host = match?.[1] ?? match?.[2];
  if (match === null || port > 65_535 || (match[1] !== undefined && isIP(match[1]) !== 6))
    throw new CommandError(ExitCode.usage, `--listen ${text}: must be HOST:PORT, [IPv6]:PORT or :PORT`);
  return { host: host === "" ? undefined : host, port };
}

export function formatListen({ host, port }: ListenAddress): string {
  return host !== undefined && isIP(host) === 6 ? `[${host}]:${port}` : `${host ?? ""}:${port}`;
}

export function isLoopback(host: string | undefined): boolean {
  return host !== undefined && (host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host));
}
