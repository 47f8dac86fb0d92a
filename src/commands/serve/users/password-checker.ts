/** Asks the thread that compares passwords. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { PasswordAnswer, PasswordQuestion } from "./password-worker.js";

const HEAP_MB = 32;

export class PasswordChecker {
  readonly #say: (line: string) => void;
  readonly #waiting = new Map<number, { resolve(matches: readonly boolean[]): void; reject(): void }>();
  #worker: Worker | null;
  #nextId = 0;

  private constructor(worker: Worker, say: (line: string) => void) {
    this.#worker = worker;
    this.#say = say;
    worker.on("message", (answer: PasswordAnswer) => this.#take(answer));
    worker.on("error", (error) => this.#fail(error.message));
    worker.on("exit", () => this.#fail("their thread has ended"));
    worker.unref();
  }

  /** Resolves when all of it is read from disk: afterwards root may be given up. */
  static async start(say: (line: string) => void): Promise<PasswordChecker> {
    const worker = new Worker(new URL("./password-worker.js", import.meta.url), {
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    await once(worker, "message");
    return new PasswordChecker(worker, say);
  }

  /** For each hash whether it is of this password. Rejects where it cannot be told. */
  compare(password: string, hashes: readonly string[]): Promise<readonly boolean[]> {
    const worker = this.#worker;
    if (worker === null) return Promise.reject(new Error("passwords cannot be checked"));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject: () => reject(new Error("passwords cannot be checked")) });
      worker.postMessage({ id, password, hashes } satisfies PasswordQuestion);
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  #take({ id, matches }: PasswordAnswer): void {
    this.#waiting.get(id)?.resolve(matches);
    this.#waiting.delete(id);
  }

  #fail(reason: string): void {
    if (this.#worker !== null)
      this.#say(`passwords cannot be checked any more, new logins are refused: ${reason}`);
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) reject();
    this.#waiting.clear();
  }
}
