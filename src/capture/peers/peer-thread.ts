/** A thread that asks other services. An answer may crash it: the request then fails, and the next one goes to a new thread. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { HealthTarget } from "../health/health.js";
import type { ContainerName } from "../names/docker.js";
import { LIMITS, ServiceError } from "../names/json-client.js";
import type { Tenancy } from "../names/registry-names.js";
import type { CheckedTarget, PeerAnswers, PeerKind, PeerMessage, PeerReply } from "./peer-worker.js";

/** Several times the memory of an answer at all limits. */
const HEAP_MB = 256;

interface Thread {
  readonly worker: Worker;
  /** Resolves when all its code is loaded. */
  readonly ready: Promise<unknown>;
}

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: ServiceError) => void;
  readonly timer: NodeJS.Timeout | undefined;
  /** Key of a cached answer; null: not cached. */
  readonly key: string | null;
  /** The cached answer at the time of the request. */
  readonly known: Known | null;
}

interface Known {
  readonly digest: string;
  readonly value: unknown;
}

/** Starts with its first request, or with `load`; the owner closes it. Requests reject only with ServiceError. */
export class PeerThread {
  readonly #heapMb: number;
  readonly #limitMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #serving: Thread | null = null;
  /** A spare, loaded before the right to read the program is given up, for when the first crashes. */
  #spare: Thread | null = null;
  /** The last answer of each service: as many as are configured. */
  readonly #known = new Map<string, Known>();
  #nextId = 0;

  /** Only tests change `heapMb` and `limitMs`, the longest time for an answer including its parsing. */
  constructor({ heapMb = HEAP_MB, limitMs = LIMITS.timeoutMs } = {}) {
    this.#heapMb = heapMb;
    this.#limitMs = limitMs;
  }

  /** Resolves when all code is loaded, a spare thread included: then root may be given up. The next request reports a failed start. */
  async load(): Promise<void> {
    this.#serving ??= this.#start();
    this.#spare ??= this.#start();
    await Promise.all([this.#serving.ready, this.#spare.ready]);
  }

  /** The names of an engine's containers, within two seconds; the same list object as before if unchanged. */
  engine(socketPath: string): Promise<ContainerName[]> {
    return this.#ask("engine", { socketPath });
  }

  /** The registry's history, within two seconds; the same list object as before if unchanged. */
  registry({ href }: URL): Promise<Tenancy[]> {
    return this.#ask("registry", { href });
  }

  /** Checks each of them once, one after another. Measured in the thread: delays of the caller are not included. */
  health(targets: readonly HealthTarget[]): Promise<CheckedTarget[]> {
    return this.#ask("health", { targets });
  }

  /** Pending requests are never answered. */
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
    // A thread that has exited does not answer.
    const ready = Promise.race([once(worker, "message"), once(worker, "exit")]).catch(() => {});
    worker.on("message", (reply: PeerReply | "ready") => {
      if (reply !== "ready") this.#take(reply, worker);
    });
    worker.on("error", (error: NodeJS.ErrnoException) => this.#lose(worker, describeError(error)));
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

  /** All pending requests were sent to the current thread. */
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

function describeError({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ERR_WORKER_OUT_OF_MEMORY") return "the thread that asks ran out of memory";
  return `the thread that asks: ${message.split("\n")[0]!.slice(0, 120)}`;
}
