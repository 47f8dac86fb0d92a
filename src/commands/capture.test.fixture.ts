/** Runs `netwatch` as a process of its own, for tests of what only a process has: signals, rights, pipes. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Snapshot } from "../analyze/snapshot.js";
import { ROOT } from "./terminal.test.fixture.js";

const CLI = join(ROOT, "dist/src/cli.js");
const PATIENCE_MS = 20_000;

export interface Ended {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** One run. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stderr = "";
  #heard: () => void = () => {};

  constructor(child: ChildProcess) {
    this.child = child;
    const stdout: Buffer[] = [];
    child.stdout?.on("data", (piece: Buffer) => stdout.push(piece));
    child.stderr?.on("data", (piece: Buffer) => {
      this.#stderr += piece.toString();
      this.#heard();
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    this.ended = once(child, "close").then(([code]) => {
      clearTimeout(timer);
      this.#heard();
      return { code: code as number | null, stdout: Buffer.concat(stdout), stderr: this.#stderr };
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Waits until it has said this, or has ended. */
  async said(words: string): Promise<void> {
    while (!this.#stderr.includes(words) && this.child.exitCode === null && this.child.signalCode === null)
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
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

  /** `netns`: where it runs itself. `through`: a program that becomes it, with its words. */
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
   * As `start`, by a user who may not enter the folder that the checkout is in: it is seen at a place where everyone may.
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
