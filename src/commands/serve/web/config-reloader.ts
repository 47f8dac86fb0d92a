/** The web configuration in use: read again when its files change or on SIGHUP; an invalid new one is ignored. */
import { statSync } from "node:fs";
import { CommandError } from "../../../exit.js";
import { toPath } from "../../../path-bytes.js";
import type { Terminal } from "../../terminal.js";
import { OPEN_CONFIG, readWebConfig, type WebConfig } from "./web-config.js";

const LOOK_MS = 2_000;

export class ConfigReloader {
  readonly #path: string | null;
  readonly #terminal: Terminal;
  #config: WebConfig;
  #stamp: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  ok = true;
  failures = 0;

  /** `path` null: no file, everything is open. Throws CommandError. */
  constructor(path: string | null, terminal: Terminal) {
    this.#path = path;
    this.#terminal = terminal;
    this.#config = path === null ? OPEN_CONFIG : readWebConfig(path);
    this.#stamp = stampOf(this.#config.files);
  }

  get config(): WebConfig {
    return this.#config;
  }

  /** Looks every two seconds whether a file has changed. */
  start(take: (config: WebConfig) => void): void {
    this.#timer = setInterval(() => {
      const stamp = stampOf(this.#config.files);
      if (stamp !== null && stamp !== this.#stamp) this.reload(take);
    }, LOOK_MS).unref();
  }

  reload(take: (config: WebConfig) => void): void {
    if (this.#path === null) return;
    this.#stamp = stampOf(this.#config.files);
    try {
      const config = readWebConfig(this.#path);
      checkChange(this.#config, config);
      take(config);
      this.#config = config;
      this.#stamp = stampOf(config.files);
      this.ok = true;
      this.#terminal.say("the web configuration was read again");
    } catch (error) {
      this.ok = false;
      this.failures++;
      this.#terminal.say(`${(error as Error).message}; the one before stays in use`);
    }
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }
}

/** What a server decides when it begins. */
function checkChange(before: WebConfig, after: WebConfig): void {
  const asks = ({ tls }: WebConfig) => tls !== null && tls.clientAuth !== "NoClientCert";
  if ((before.tls === null) === (after.tls === null) && asks(before) === asks(after)) return;
  throw new CommandError(1, "turning TLS or client certificates on or off takes a restart");
}

/** Changes when one of the files does; null: one lies where this user may not look. */
function stampOf(files: readonly string[]): string | null {
  const stamps: string[] = [];
  for (const file of files)
    try {
      const { mtimeMs, ino, size } = statSync(toPath(file));
      stamps.push(`${mtimeMs} ${ino} ${size}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EACCES") return null;
      stamps.push("none");
    }
  return stamps.join("\n");
}
