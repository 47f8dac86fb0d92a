import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { runCommand } from "../host/command.js";
import { TABLE } from "../host/rules.js";
import { readPlan } from "../host/state.js";
import { call } from "../service/call.js";
import { registryUrl } from "../service/run-service.js";
import type { Plan } from "../topology.js";
import { type Dial, DialWatch, retiredDials } from "./dial-watch.js";
import { DropWatch } from "./drop-watch.js";
import type { LabEvent } from "./event.js";
import { openEventLog } from "./event-log.js";
import { type Notes, readNotes } from "./nft-list.js";
import { Places } from "./places.js";
import { WATCHER } from "./watcher.js";

/** Much shorter than the lifetime of the kernel's notes; each look is two short runs of nft. */
const LOOK_MS = 2000;

const historySchema = z.object({
  history: z.array(
    z.object({
      service: z.string(),
      instance: z.string(),
      address: z.string(),
      port: z.int(),
      from: z.number(),
      to: z.number().nullable(),
    }),
  ),
});

/** Reads the rules' counters on the host and reports changes until it is stopped. */
export async function watchLab(): Promise<void> {
  const plan = readPlan();
  const say = (problem: string): boolean => process.stderr.write(`${problem}\n`);
  const events = openEventLog(plan.events, WATCHER, say);
  const ended = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => ended.abort());
  const watch = new LabWatch(plan);
  events.note(turn(plan, "started"), Date.now());
  let problem = "";
  while (!ended.signal.aborted) {
    try {
      for (const event of await watch.look(Date.now())) events.note(event, Date.now());
      problem = "";
    } catch (error) {
      const message = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message;
      if (message !== problem) say(message);
      problem = message;
    }
    await sleep(LOOK_MS, undefined, { signal: ended.signal }).catch(() => {});
  }
  events.note(turn(plan, "ended"), Date.now());
  events.close(Date.now());
}

class LabWatch {
  readonly #places: Places;
  readonly #drops: DropWatch;
  readonly #dials = new DialWatch();
  readonly #registry: string;
  #since = Number.NEGATIVE_INFINITY;

  constructor(plan: Plan) {
    this.#places = new Places(plan);
    this.#drops = new DropWatch(this.#places);
    this.#registry = registryUrl(plan);
  }

  /** `now`, milliseconds: the counters are read after it. */
  async look(now: number): Promise<LabEvent[]> {
    const notes = await listNotes();
    const since = this.#since;
    this.#since = now;
    const dials = this.#dials.look(notes.dials);
    return [...this.#drops.look(notes), ...(await this.#retired(dials, since))];
  }

  /** While the registry does not answer it is unknown what a port was. */
  async #retired(dials: readonly Dial[], since: number): Promise<LabEvent[]> {
    if (dials.length === 0) return [];
    const answer = await call(`${this.#registry}/history`, { timeoutMs: 1500 }).catch(() => undefined);
    const said = historySchema.safeParse(answer?.body);
    return said.success ? retiredDials(dials, said.data.history, this.#places, since, Date.now()) : [];
  }
}

async function listNotes(): Promise<Notes> {
  const families = ["inet", "bridge"];
  return readNotes(
    await Promise.all(families.map((family) => runCommand("nft", ["-j", "list", "table", family, TABLE]))),
  );
}

function turn({ profile, policies }: Plan, state: "started" | "ended"): LabEvent {
  const force = policies ? "on" : "off";
  return {
    event: "watch",
    severity: "info",
    text: `the watch of the lab ${state}: profile ${profile}, policies ${force}`,
    fields: { state, subject: profile, policies: force },
  };
}
