/** For tests of `netwatch serve`: the exporter and the programs around it, each a process, on ports of loopback that are free. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestNetwork } from "../../capture/kernel/netns.test.fixture.js";
import { type BridgeLab, createBridge } from "../../capture/live/live.test.fixture.js";
import { until } from "../../until.test.fixture.js";
import { ROOT } from "../terminal.test.fixture.js";

const CLI = join(ROOT, "dist/src/cli.js");
/** Programs that a test forgot end after it. */
const LIFETIME_MS = 900_000;

/** A program that runs until it is told to end. */
export class Daemon {
  readonly child: ChildProcess;
  readonly #timer: NodeJS.Timeout;
  said = "";

  constructor(command: string, words: readonly string[], cwd: string) {
    this.child = spawn(command, words, {
      cwd,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, SUDO_UID: "", DOCKER_HOST: "" },
    });
    this.child.stderr!.on("data", (piece: Buffer) => {
      this.said += piece.toString();
    });
    this.#timer = setTimeout(() => this.child.kill("SIGKILL"), LIFETIME_MS);
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Its exit code; null: it was killed. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    clearTimeout(this.#timer);
    if (this.isRunning) {
      this.child.kill(signal);
      await once(this.child, "exit");
    }
    return this.child.exitCode;
  }
}

/** `netwatch serve` on a free port of loopback. */
export class Exporter extends Daemon {
  url = "";

  static async start(cwd: string, words: readonly string[]): Promise<Exporter> {
    const exporter = new Exporter(process.execPath, [CLI, "serve", "--listen", "127.0.0.1:0", ...words], cwd);
    await until(() => exporter.said.includes("/metrics\n") || !exporter.isRunning);
    const match = /listening on (https?:\/\/[^/]+)\/metrics/.exec(exporter.said);
    assert.ok(match, exporter.said);
    exporter.url = match[1]!;
    return exporter;
  }

  get instance(): string {
    return new URL(this.url).host;
  }

  async page(): Promise<Page> {
    const response = await fetch(`${this.url}/metrics`);
    assert.equal(response.status, 200);
    return parsePage(await response.text());
  }
}

export interface Sample {
  readonly name: string;
  /** As written between the braces. */
  readonly labels: string;
  readonly value: number;
}
export type Page = readonly Sample[];

export function parsePage(text: string): Page {
  return [...text.matchAll(/^([a-z]\w*)(?:\{(.*)\})? (\S+)$/gm)].map(([, name, labels, value]) => ({
    name: name!,
    labels: labels ?? "",
    value: Number(value),
  }));
}

/** The sum of a metric's samples whose labels hold all these words. */
export function sumOf(page: Page, name: string, ...words: readonly string[]): number {
  return page
    .filter((sample) => sample.name === name && words.every((word) => sample.labels.includes(word)))
    .reduce((sum, { value }) => sum + value, 0);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** What Prometheus answers to a query: a value for each set of labels. */
export interface Answer {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

export async function query(prometheus: string, expr: string): Promise<Answer[]> {
  const response = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(expr)}`);
  const { status, error, data } = (await response.json()) as {
    status: string;
    error?: string;
    data: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  assert.equal(status, "success", `${expr}: ${error}`);
  return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
}

/** A bridge, a folder, and the programs that run there. */
export class ServeLab {
  readonly network = new TestNetwork();
  readonly bridge: BridgeLab = createBridge(this.network);
  readonly folder = mkdtempSync(join(tmpdir(), "netwatch-serve-"));
  readonly #daemons: Daemon[] = [];

  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  start(command: string, flags: readonly string[]): Daemon {
    return this.keep(
      new Daemon(
        command,
        flags.map((flag) => `--${flag}`),
        this.folder,
      ),
    );
  }

  /** On the bridge. */
  async serve(...words: readonly string[]): Promise<Exporter> {
    return this.keep(
      await Exporter.start(this.folder, ["-i", "br0", "--netns", this.bridge.bridge, ...words]),
    );
  }

  /** Ends with the lab. */
  keep<T extends Daemon>(daemon: T): T {
    this.#daemons.push(daemon);
    return daemon;
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons) await daemon.stop("SIGKILL");
    this.bridge.close();
    await this.network.close();
    rmSync(this.folder, { recursive: true });
  }
}
