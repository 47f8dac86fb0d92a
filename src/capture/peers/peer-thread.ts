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
}

/** Starts with its first question, or with `load`; to be closed. Every method that asks rejects with ServiceError alone. */
export class PeerThread {
  readonly #heapMb: number;
  readonly #waiting = new Map<number, Waiting>();
  #serving: Thread | null = null;
  /** Loaded while there was the right to read the program, for when the first dies. */
  #spare: Thread | null = null;
  #nextId = 0;

  /** `heapMb`: less than enough only in tests. */
  constructor(heapMb = HEAP_MB) {
    this.#heapMb = heapMb;
  }

  /** Resolves when all is read from disk, a spare thread included: afterwards root may be given up. What keeps one from starting is said by the next question. */
  async load(): Promise<void> {
    this.#serving ??= this.#start();
    this.#spare ??= this.#start();
    await Promise.allSettled([this.#serving.ready, this.#spare.ready]);
  }

  /** What an engine's containers are called, within two seconds. */
  engine(socketPath: string): Promise<ContainerName[]> {
    return this.#ask("engine", { socketPath }, LIMITS.timeoutMs);
  }

  /** The registry's history, within two seconds. */
  registry({ href }: URL): Promise<Tenancy[]> {
    return this.#ask("registry", { href }, LIMITS.timeoutMs);
  }

  /** Checks each of them once, one after another. The times are this thread's: what holds up the caller is not in them. */
  health(targets: readonly HealthTarget[]): Promise<CheckedTarget[]> {
    return this.#ask("health", { targets }, null);
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

  /** `limitMs` holds for the work on the answer too; null: the thread has limits of its own. */
  #ask<Kind extends PeerKind>(
    kind: Kind,
    question: PeerAnswers[Kind]["question"],
    limitMs: number | null,
  ): Promise<PeerAnswers[Kind]["answer"]> {
    this.#serving ??= this.#start();
    const { worker } = this.#serving;
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const late = () => {
        this.#forget(id, worker);
        reject(new ServiceError(`no answer within ${limitMs! / 1000} s`, "ETIMEDOUT"));
      };
      const timer = limitMs === null ? undefined : setTimeout(late, limitMs);
      this.#waiting.set(id, { resolve, reject, timer });
      worker.ref();
      worker.postMessage({ id, kind, question } satisfies PeerMessage);
    });
  }

  #start(): Thread {
    const worker = new Worker(new URL("./peer-worker.js", import.meta.url), {
      execArgv: [],
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: this.#heapMb },
    });
    worker.unref();
    const ready = once(worker, "message");
    ready.catch(() => {});
    worker.on("message", (reply: PeerReply | "ready") => {
      if (reply !== "ready") this.#take(reply, worker);
    });
    worker.on("error", (error: NodeJS.ErrnoException) => this.#lose(worker, wordsOf(error)));
    worker.on("exit", () => this.#lose(worker, "the thread that asks has ended"));
    return { worker, ready };
  }

  #take(reply: PeerReply, worker: Worker): void {
    const waiting = this.#forget(reply.id, worker);
    if ("value" in reply) waiting?.resolve(reply.value as never);
    else waiting?.reject(new ServiceError(reply.failure.message, reply.failure.code));
  }

  #forget(id: number, worker: Worker): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) worker.unref();
    return waiting;
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
