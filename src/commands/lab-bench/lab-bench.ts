/** `netwatch lab bench`: the same load on the same shop in namespaces and in containers, in turn, and the results. */
import type { Benchmark, Wire } from "../../analyze/benchmark/benchmark.js";
import { engineSockets } from "../../capture/names/docker.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { formatCount, safeJson } from "../../format.js";
import { renderBenchmark } from "../../report/text/benchmark-text.js";
import { writeWhole } from "../../write.js";
import { waitingFor } from "../signals.js";
import type { Terminal } from "../terminal.js";
import { fireLoad, requireLoadTool } from "./apache-bench.js";
import { assembleBenchmark, DEFAULT_REQUESTS, type LeftOut, type MeasuredMode } from "./assemble.js";
import { NoDockerTarget, openDockerTarget } from "./docker-target.js";
import { type Lab, loadLab } from "./lab.js";
import { observe, readWire } from "./observe.js";
import { type Round, type RoundPlan, runRound, turns } from "./rounds.js";
import type { BenchMode, BenchTarget } from "./target.js";

export interface LabBenchOptions {
  readonly mode: BenchMode | "both";
  readonly path: string;
  /** A round; as many as fit where only a duration is given. */
  readonly requests?: number;
  readonly concurrency: number;
  /** Seconds. */
  readonly duration?: number;
  readonly keepAlive?: boolean;
  readonly rounds: number;
  readonly warmup: number;
  /** The compose project. */
  readonly project: string;
  readonly output: "table" | "json";
  readonly pdf?: string;
  /** When it begins. */
  readonly date: Date;
  /** Ends the run after the current round, without a report. */
  readonly signal: AbortSignal;
}

/** `ab` keeps 40 bytes of each. */
const MOST_REQUESTS = 1_000_000;
/** Longest round, whatever the options say. */
export const LONGEST_ROUND_SECONDS = 300;

export async function labBench(
  options: LabBenchOptions,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const plan = planRounds(options);
  if (process.getuid?.() !== 0)
    throw new CommandError(ExitCode.permission, "the lab makes network namespaces and needs root");
  requireLoadTool();
  const { targets, leftOut } = await openTargets(await loadLab(), options, terminal);
  let measured: readonly MeasuredMode[];
  try {
    measured = await measureAll(targets, plan, options, terminal);
  } finally {
    terminal.progress("");
    for (const target of targets.toReversed()) await target.close();
  }
  const benchmark = assembleBenchmark(measured, leftOut, options, producer);
  if (options.output === "json") await terminal.write([`${safeJson(benchmark, 1)}\n`]);
  else await terminal.write(renderBenchmark(benchmark, terminal));
  if (options.pdf !== undefined) await writePdf(options.pdf, benchmark, terminal);
  return ExitCode.ok;
}

/** The size of a round from the options. Throws CommandError for contradicting ones. */
export function planRounds(
  options: Pick<LabBenchOptions, "path" | "requests" | "concurrency" | "duration" | "keepAlive">,
): RoundPlan {
  const { path, concurrency, duration } = options;
  const requests = options.requests ?? (duration === undefined ? DEFAULT_REQUESTS : MOST_REQUESTS);
  if (!/^\/[!-~]*$/.test(path))
    throw new CommandError(ExitCode.usage, `--path takes a path such as /products, not "${path}"`);
  if (concurrency > requests)
    throw new CommandError(
      ExitCode.usage,
      `--concurrency ${concurrency} is more than there are requests (${formatCount(requests)})`,
    );
  return {
    path,
    requests,
    concurrency,
    durationSeconds: duration ?? LONGEST_ROUND_SECONDS,
    keepAlive: options.keepAlive === true,
  };
}

async function openTargets(
  lab: Lab,
  { mode, project }: LabBenchOptions,
  terminal: Terminal,
): Promise<{ targets: BenchTarget[]; leftOut: LeftOut[] }> {
  const targets: BenchTarget[] = [];
  const leftOut: LeftOut[] = [];
  if (mode !== "lab")
    try {
      targets.push(await openDockerTarget(engineSockets(terminal.env.DOCKER_HOST), project));
    } catch (error) {
      if (!(error instanceof NoDockerTarget)) throw error;
      if (mode === "docker") throw new CommandError(ExitCode.failure, `docker: ${error.message}`);
      leftOut.push({ mode: "docker", reason: error.message });
      terminal.say(`docker is left out: ${error.message}`);
    }
  // The lab last: it may have to be brought up, and is the first of the two in every output.
  if (mode !== "docker") targets.unshift(await lab.openBenchTarget((text) => terminal.progress(text)));
  return { targets, leftOut };
}

async function measureAll(
  targets: readonly BenchTarget[],
  plan: RoundPlan,
  { rounds, warmup, signal }: LabBenchOptions,
  terminal: Terminal,
): Promise<readonly MeasuredMode[]> {
  const taken = new Map<BenchTarget, { turn: number; round: Round }[]>(targets.map((t) => [t, []]));
  const show = (what: string, { mode }: BenchTarget): void => {
    if (signal.aborted) throw new CommandError(ExitCode.failure, "interrupted: nothing is reported");
    terminal.progress(`${what}: ${mode}`);
  };
  for (const target of turns(targets, warmup)) {
    show("warming up", target);
    await runRound(target, plan);
  }
  const all = turns(targets, rounds);
  for (const [i, target] of all.entries()) {
    show(`round ${i + 1} of ${all.length}`, target);
    taken.get(target)!.push({ turn: i + 1, round: await runRound(target, plan) });
  }
  const measured: MeasuredMode[] = [];
  for (const target of targets) {
    show("a round with netwatch listening", target);
    measured.push({ target, rounds: taken.get(target)!, ...(await lookAtWire(target, plan)) });
  }
  if (signal.aborted) throw new CommandError(ExitCode.failure, "interrupted: nothing is reported");
  return measured;
}

/** One round more, apart from the others: listening costs time on the same CPUs. */
async function lookAtWire(
  target: BenchTarget,
  { path, ...order }: RoundPlan,
): Promise<{ wire: Wire | null; wireProblem: string | null }> {
  const load = { ...order, url: `${target.origin}${path}`, netns: target.netns };
  try {
    const { result, snapshot } = await observe(target.bridges, () => fireLoad(load));
    return { wire: readWire(snapshot, target, result), wireProblem: null };
  } catch (error) {
    return { wire: null, wireProblem: (error as Error).message };
  }
}

async function writePdf(path: string, benchmark: Benchmark, terminal: Terminal): Promise<void> {
  const { renderBenchmarkPdf } = await import("../../report/pdf/benchmark-pdf.js");
  const pdf = await renderBenchmarkPdf(benchmark);
  try {
    await waitingFor([path], terminal, () => writeWhole(path, [pdf]), "after");
  } catch (error) {
    throw new CommandError(ExitCode.unwritable, `${path}: ${reasonOf(error)}`);
  }
  terminal.say(`wrote ${path}`);
}
