/** Asks other services in a thread of its own: reads, limits, parses and checks their answers without delaying packets. */
import { createHash } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { type CheckClock, type CheckResult, checkHealth, type HealthTarget } from "../health/health.js";
import { stagger } from "../health/stagger.js";
import { bareThread } from "../kernel/privilege.js";
import { type ContainerName, readContainerNames } from "../names/docker.js";
import { LIMITS } from "../names/json-client.js";
import { REGISTRY_LIMITS, readRegistry, type Tenancy } from "../names/registry-names.js";

/** Each kind of request and its answer, bounded and checked. */
export interface PeerAnswers {
  readonly engine: { readonly question: { readonly socketPath: string }; readonly answer: ContainerName[] };
  readonly registry: { readonly question: { readonly href: string }; readonly answer: Tenancy[] };
  /** One element per target, in their order. */
  readonly health: {
    readonly question: { readonly targets: readonly HealthTarget[] };
    readonly answer: CheckedTarget[];
  };
}
export type PeerKind = keyof PeerAnswers;

/** The result of a target. */
export interface CheckedTarget {
  readonly result: CheckResult;
  /** End of the check, microseconds since 1970. */
  readonly timeUs: number;
}

export interface PeerMessage {
  readonly id: number;
  readonly kind: PeerKind;
  readonly question: PeerAnswers[PeerKind]["question"];
  /** Digest of the caller's cached answer; null: none. */
  readonly known: string | null;
  /** Longest time to read an answer that is parsed. */
  readonly limitMs: number;
}

export type PeerReply =
  | { readonly id: number; readonly digest: string; readonly value: PeerAnswers[PeerKind]["answer"] }
  | { readonly id: number; readonly same: true }
  | { readonly id: number; readonly failure: { readonly message: string; readonly code: string | null } };

type Handlers = {
  readonly [Kind in PeerKind]: (
    question: PeerAnswers[Kind]["question"],
    limitMs: number,
  ) => Promise<PeerAnswers[Kind]["answer"]>;
};

/** Longest wait for a slow target before the next is asked. */
const STAGGER_MS = 20;

const CLOCK: CheckClock = {
  nowMs: () => performance.now(),
  busyMs: () => performance.eventLoopUtilization().active,
};

const HANDLERS: Handlers = {
  engine: ({ socketPath }, timeoutMs) => readContainerNames(socketPath, { ...LIMITS, timeoutMs }),
  registry: ({ href }, timeoutMs) => readRegistry(new URL(href), { ...REGISTRY_LIMITS, timeoutMs }),
  health: ({ targets }) => stagger(targets, check, () => setTimeout(STAGGER_MS)),
};

async function check(target: HealthTarget): Promise<CheckedTarget> {
  const result = await checkHealth(target, CLOCK);
  return { result, timeUs: Date.now() * 1000 };
}

async function answer({ id, kind, question, known, limitMs }: PeerMessage): Promise<PeerReply> {
  try {
    const value = await HANDLERS[kind](question as never, limitMs);
    // An unchanged list costs the caller nothing.
    const digest = createHash("sha256").update(JSON.stringify(value)).digest("base64");
    return digest === known ? { id, same: true } : { id, digest, value };
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException;
    return { id, failure: { message: message.slice(0, 200), code: code ?? null } };
  }
}

if (parentPort !== null) {
  const port = parentPort;
  bareThread();
  port.on("message", async (message: PeerMessage) => port.postMessage(await answer(message)));
  port.postMessage("ready");
}
