/** Runs `netwatch` as a separate process, for tests of signals, rights and pipes. */
import assert from "node:assert/strict";
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { PATIENCE_MS, until } from "../../until.test.fixture.js";
import { ROOT } from "../terminal.test.fixture.js";

const CLI = join(ROOT, "dist/src/cli.js");

export interface Ended {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The last Snapshot of what `-o json` or `-o ndjson` printed. */
export function lastSnapshot({ stdout }: Ended): Snapshot {
  return stdout.subarray(0, 2).toString() === "{\n"
    ? JSON.parse(stdout.toString())
    : parseLines(stdout).at(-1)!;
}

/** A Snapshot a line; a line that has no end yet is left out. */
function parseLines(stdout: Buffer): Snapshot[] {
  return stdout
    .toString()
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** One run. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  readonly #stdout: Buffer[] = [];
  #stderr = "";
  #heard: () => void = () => {};

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on("data", (piece: Buffer) => this.#stdout.push(piece));
    child.stderr?.on("data", (piece: Buffer) => {
      this.#stderr += piece.toString();
      this.#heard();
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    this.ended = once(child, "close").then(([code]) => {
      clearTimeout(timer);
      this.#heard();
      return { code: code as number | null, stdout: Buffer.concat(this.#stdout), stderr: this.#stderr };
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Snapshots of a run with `-o ndjson` so far, one per interval. */
  get shown(): Snapshot[] {
    return parseLines(Buffer.concat(this.#stdout));
  }

  /** Waits until the last Snapshot of a run with `-o ndjson` fits. Fails if the run ends before. */
  async shows(isSo: (snapshot: Snapshot) => boolean): Promise<void> {
    await until(() => {
      const last = this.shown.at(-1);
      if (last !== undefined && isSo(last)) return true;
      assert.ok(this.isRunning, `it ended before ${isSo}: ${this.#stderr}`);
      return false;
    });
  }

  /** Waits until it has said this, or has ended. */
  async said(words: string): Promise<void> {
    while (!this.#stderr.includes(words) && this.isRunning)
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
  }

  /** Stops it for a while, and waits until it has stopped: SIGCONT lets it go on. */
  async freeze(): Promise<void> {
    this.child.kill("SIGSTOP");
    await until(() => /^State:\tT/m.test(readFileSync(`/proc/${this.pid}/status`, "utf8")));
  }

  stop(signal: NodeJS.Signals = "SIGINT"): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** A folder for one test's files, with runs whose state is kept in it. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), "netwatch-live-"));

  path(name: string): string {
    return join(this.folder, name);
  }

  /** `netns`: the namespace it runs in. `through`: a program with arguments that executes it. */
  start(
    words: readonly string[],
    options: SpawnOptions = {},
    netns: string | null = null,
    through: readonly string[] = [],
    cli = CLI,
  ): Running {
    const env = { ...process.env, XDG_STATE_HOME: this.folder, SUDO_UID: "", ...options.env };
    const inside = netns === null ? [] : ["ip", "netns", "exec", netns];
    const [program, ...rest] = [...inside, ...through, process.execPath, cli, ...words];
    return new Running(spawn(program!, rest, { stdio: ["ignore", "pipe", "pipe"], ...options, env }));
  }

  /**
   * Like `start`, for a user who may not enter the checkout's folder: the checkout is mounted in a place open to all.
   * `through`: becomes that user.
   */
  startOutside(
    words: readonly string[],
    options: SpawnOptions,
    netns: string | null,
    through: readonly string[],
  ): Running {
    const place = this.path("checkout");
    mkdirSync(place, { recursive: true });
    chmodSync(this.folder, 0o755);
    const mount = 'mount --bind "$0" "$1" && shift && exec "$@"';
    const before = ["unshare", "-m", "sh", "-c", mount, ROOT, place, ...through];
    return this.start(words, options, netns, before, join(place, "dist/src/cli.js"));
  }

  /** Starts a capture and waits until it listens. */
  async listen(
    words: readonly string[],
    options: SpawnOptions = {},
    netns: string | null = null,
  ): Promise<Running> {
    const running = this.start(["capture", ...words], options, netns);
    await running.said("listening on");
    return running;
  }

  run(words: readonly string[]): Promise<Ended> {
    return this.start(words).ended;
  }

  /** The Snapshot of capture files. */
  async analyze(file: string, words: readonly string[] = []): Promise<Snapshot> {
    const { stdout } = await this.run(["analyze", file, "-o", "json", ...words]);
    return JSON.parse(stdout.toString());
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
