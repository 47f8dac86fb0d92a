/** The thread that asks others. It may die of an answer: that fails what was asked, and the next question goes to another. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { HealthTarget } from "../health/health.js";
import type { ContainerName } from "../names/docker.js";
import { LIMITS, ServiceError } from "../names/json-client.js";
import type { Tenancy } from "../names/registry-names.js";
import type { CheckedTarget, PeerAnswers, PeerKind, PeerMessage, PeerReply } from "./peer-worker.js";

/** Several times what an answer at all its limits takes. */
const HEAP_MB = 256;

interface Thread {
  readonly worker: Worker;
  /** Resolves when all of it is read from disk. */
  readonly ready: Promise<unknown>;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: ServiceError) => void;
  readonly timer: NodeJS.Timeout | undefined;
  /** Who was asked what, where the answer is kept; null: it is never the same. */
  readonly key: string | null;
  /** What was known when it was asked. */
  readonly known: Known | null;
}

interface Known {
  readonly digest: string;
  readonly value: unknown;
}

/** Starts with its first question, or with `load`; to be closed. Every method that asks rejects with ServiceError alone. */
export class PeerThread {
  readonly #heapMb: number;
  readonly #limitMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #serving: Thread | null = null;
  /** Loaded while there was the right to read the program, for when the first dies. */
  #spare: Thread | null = null;
  /** The last answer of each one asked: as many as are configured. */
  readonly #known = new Map<string, Known>();
  #nextId = 0;

  /** `heapMb` and `limitMs`, the longest for an answer that is parsed, work on it included, are others only in tests. */
  constructor({ heapMb = HEAP_MB, limitMs = LIMITS.timeoutMs } = {}) {
    this.#heapMb = heapMb;
    this.#limitMs = limitMs;
  }

  /** Resolves when all is read from disk, a spare thread included: afterwards root may be given up. What keeps one from starting is said by the next question. */
  async load(): Promise<void> {
    this.#serving ??= this.#start();
    this.#spare ??= this.#start();
    await Promise.all([this.#serving.ready, this.#spare.ready]);
  }

  /** What an engine's containers are called, within two seconds; the same list as before where nothing has changed. */
  engine(socketPath: string): Promise<ContainerName[]> {
    return this.#ask("engine", { socketPath });
  }

  /** The registry's history, within two seconds; the same list as before where nothing has changed. */
  registry({ href }: URL): Promise<Tenancy[]> {
    return this.#ask("registry", { href });
  }

  /** Checks each of them once, one after another. The times are this thread's: what holds up the caller is not in them. */
  health(targets: readonly HealthTarget[]): Promise<CheckedTarget[]> {
    return this.#ask("health", { targets });
  }

  /** What is under way is never answered. */
  async close(): Promise<void> {
    const threads = [this.#serving, this.#spare];
    this.#serving = null;
    this.#spare = null;
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    await Promise.all(threads.map((thread) => thread?.worker.terminate()));
  }

  #ask<Kind extends PeerKind>(
    kind: Kind,
    question: PeerAnswers[Kind]["question"],
  ): Promise<PeerAnswers[Kind]["answer"]> {
    this.#serving ??= this.#start();
    const { worker } = this.#serving;
    const limitMs = this.#limitMs;
    const id = this.#nextId++;
    const key = kind === "health" ? null : JSON.stringify([kind, question]);
    const known = (key !== null && this.#known.get(key)) || null;
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#forget(id, worker);
        reject(new ServiceError(`no answer within ${limitMs / 1000} s`, "ETIMEDOUT"));
      };
      // a check has limits of its own
      const timer = kind === "health" ? undefined : setTimeout(late, limitMs);
      this.#waiting.set(id, { resolve, reject, timer, key, known });
      worker.ref();
      worker.postMessage({ id, kind, question, known: known?.digest ?? null, limitMs } satisfies PeerMessage);
    });
  }

  #start(): Thread {
    const worker = new Worker(new URL("./peer-worker.js", import.meta.url), {
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb },
    });
    // One that ends without a word is not waited for.
    const ready = Promise.race([once(worker, "message"), once(worker, "exit")]).catch(() => {});
    worker.on("message", (reply: PeerReply | "ready") => {
      if (reply !== "ready") this.#take(reply, worker);
    });
    worker.on("error", (error: NodeJS.ErrnoException) => this.#lose(worker, wordsOf(error)));
    worker.on("exit", () => this.#lose(worker, "the thread that asks has ended"));
    // Until then it keeps the process. Its first listener for messages would do so for good.
    void ready.then(() => this.#letGo(worker));
    return { worker, ready };
  }

  #take(reply: PeerReply, worker: Worker): void {
    const waiting = this.#forget(reply.id, worker);
    if (waiting === undefined) return;
    const { key, known, resolve, reject } = waiting;
    if ("value" in reply) {
      if (key !== null) this.#known.set(key, reply);
      resolve(reply.value as never);
    } else if ("same" in reply) resolve(known!.value as never);
    else reject(new ServiceError(reply.failure.message, reply.failure.code));
  }

  #forget(id: number, worker: Worker): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    this.#letGo(worker);
    return waiting;
  }

  /** One that is asked nothing keeps no process alive. */
  #letGo(worker: Worker): void {
    if (this.#waiting.size === 0 || worker !== this.#serving?.worker) worker.unref();
  }

  /** All that waits has asked the one that serves. */
  #lose(worker: Worker, reason: string): void {
    if (this.#spare?.worker === worker) this.#spare = null;
    if (this.#serving?.worker !== worker) return;
    this.#serving = this.#spare;
    this.#spare = this.#serving && this.#start();
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new ServiceError(reason));
    }
    this.#waiting.clear();
  }
}

function wordsOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ERR_WORKER_OUT_OF_MEMORY") return "the thread that asks ran out of memory";
  return `the thread that asks: ${message.split("\n")[0]!.slice(0, 120)}`;
}
