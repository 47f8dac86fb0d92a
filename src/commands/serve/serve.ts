/** `netwatch serve`: a live run, or capture files, as a page that Prometheus scrapes. */
import { limitSnapshot } from "../../analyze/snapshot/limit.js";
import type { HealthReport, Snapshot } from "../../analyze/snapshot/snapshot.js";
import type { CapturedOptions } from "../../engine/captured-options.js";
import type { EnrichingOptions } from "../../engine/enriching-options.js";
import { type HealthRound, HealthRounds } from "../../engine/health/health-rounds.js";
import type { EventWriter } from "../../engine/recording/event-writer.js";
import type { RecordedOptions } from "../../engine/recording/recorded-options.js";
import { createEvents } from "../../engine/recording/recording.js";
import { rightsOf } from "../../engine/rights.js";
import { CommandError, ExitCode, reasonOf } from "../../exit.js";
import { renderSnapshotJson } from "../../report/data/json.js";
import type { Exposition } from "../../report/metrics/exposition.js";
import type { ExposedProcess } from "../../report/metrics/process.js";
import { analyzeCaptures } from "../analyze/captures.js";
import { waitingFor } from "../signals.js";
import type { Terminal } from "../terminal.js";
import { exposeHealth } from "./expose-health.js";
import { DEFAULT_MAX_SERIES, DEFAULT_TTL_SECONDS, exposeFiles, OTHER_SAMPLES } from "./exposition.js";
import { createRoutes, type Served } from "./pages.js";
import { ProcessMeter } from "./process-meter.js";
import { ServedRun } from "./served-run.js";
import type { Compare } from "./users/basic-auth.js";
import { PasswordChecker } from "./users/password-checker.js";
import { AllowedHosts } from "./web/allowed-hosts.js";
import { ConfigReloader } from "./web/config-reloader.js";
import { formatListen, isLoopback, type ListenAddress, parseListen } from "./web/listen-address.js";
import { WebServer } from "./web/web-server.js";

/** Fewer than other commands keep: it runs for months, and what leaves the table has been counted. */
const DEFAULT_MAX_FLOWS = 262_144;

export interface ServeOptions
  extends CapturedOptions,
    EnrichingOptions,
    Pick<RecordedOptions, "events" | "signal" | "user"> {
  readonly listen?: string;
  readonly webConfig?: string;
  /** Names besides those of loopback and of `listen` that it answers to. */
  readonly allowHost?: readonly string[];
  readonly maxSeries?: number;
  /** Seconds. */
  readonly seriesTtl?: number;
  /** Capture files in place of interfaces. */
  readonly read?: readonly string[];
  /** Also ask the services of the names file whether they serve. */
  readonly health?: boolean;
}

/** What is known of packets, and how long there will be more. */
interface Subject {
  expose(): Omit<Exposition, "version" | "health" | "process">;
  snapshot(): Promise<Snapshot>;
  addHealth(round: HealthRound): void;
  /** Reads the names file again. Throws what reading it throws. */
  rereadNames(): void;
  readonly polls: ExposedProcess["polls"];
  /** Resolves when the signal comes or the subject ends; says why it ended, nothing where it was told to. */
  run(signal: AbortSignal): Promise<readonly string[]>;
  close(): void;
}

export async function serve(options: ServeOptions, producer: string, terminal: Terminal): Promise<ExitCode> {
  const address = parseListen(options.listen);
  const hosts = new AllowedHosts(address.host, options.allowHost ?? []);
  const configReloader = new ConfigReloader(options.webConfig ?? null, terminal);
  const events = openEvents(options, terminal);
  // Capture files say themselves what they wait for.
  const waited = options.read === undefined ? [options.names] : [];
  let report: HealthReport | null = null;
  const onRound = (round: HealthRound) => {
    report = round.report;
    subject.addHealth(round);
  };
  const open = async () => {
    const rounds = openHealth(options, onRound);
    try {
      // Before packets come: they have room for as long as this must not take.
      await rounds?.load();
      return [await openSubject(options, events, producer, terminal), rounds] as const;
    } catch (error) {
      rounds?.close();
      throw error;
    }
  };
  const [subject, health] = await waitingFor(waited, terminal, open);
  const meter = new ProcessMeter();
  const state = { ready: true };
  const served: Served = { producer, isReady: () => state.ready, page, snapshot };
  // Users may come with a configuration that is read later, when nothing more can be read from disk.
  const passwords =
    options.webConfig === undefined ? null : await PasswordChecker.start((line) => terminal.say(line));
  const compare: Compare | null = passwords && ((password, hashes) => passwords.compare(password, hashes));
  const server = new WebServer(
    { routes: createRoutes(served, meter), hosts, compare },
    configReloader.config,
  );
  function page(): Exposition {
    const { refused } = server;
    const { open, cut } = server.connections;
    const { ok, failures } = configReloader;
    const own = {
      ...meter.measure(),
      refused,
      connections: { open, cut },
      polls: subject.polls,
      reloads: { ok, failures },
    };
    return {
      ...subject.expose(),
      version: producer.split(" ")[1]!,
      health: health && (report === null ? [] : exposeHealth(report)),
      process: own,
    };
  }
  async function snapshot(): Promise<Iterable<string>> {
    return renderSnapshotJson(await subject.snapshot(), false);
  }
  const reload = () => {
    configReloader.reload((config) => server.use(config));
    rereadNames(options, subject, health, terminal);
  };
  try {
    process.on("SIGHUP", reload);
    await listen(server, address, configReloader, terminal);
    giveUpRoot(options, terminal, events);
    configReloader.start((config) => server.use(config));
    health?.start();
    const failures = await subject.run(options.signal);
    state.ready = false;
    for (const line of failures) terminal.say(line);
    const untold = events?.close(Date.now() * 1000) ?? null;
    if (untold !== null) terminal.say(untold);
    return failures.length > 0 ? ExitCode.noInterface : ExitCode.ok;
  } finally {
    process.removeListener("SIGHUP", reload);
    configReloader.stop();
    health?.close();
    await server.close();
    await passwords?.close();
    meter.close();
    subject.close();
  }
}

function openEvents(options: ServeOptions, terminal: Terminal): EventWriter | null {
  if (options.events !== undefined && options.read !== undefined)
    throw new CommandError(ExitCode.usage, "--events tells of a live run: leave -r out");
  return createEvents(options, options.events, terminal);
}

async function openSubject(
  options: ServeOptions,
  events: EventWriter | null,
  producer: string,
  terminal: Terminal,
): Promise<Subject> {
  const maxSamples = (options.maxSeries ?? DEFAULT_MAX_SERIES) - OTHER_SAMPLES;
  if (options.read !== undefined) return openFiles(options.read, options, maxSamples, producer, terminal);
  const servedRun = await ServedRun.open(
    {
      ...options,
      maxFlows: options.maxFlows ?? DEFAULT_MAX_FLOWS,
      maxSamples,
      ttlSeconds: options.seriesTtl ?? DEFAULT_TTL_SECONDS,
    },
    producer,
    terminal,
  );
  return {
    expose: () => servedRun.expose(),
    snapshot: () => servedRun.snapshot(),
    addHealth: (round) => servedRun.addHealth(round),
    rereadNames: () => servedRun.rereadNames(),
    polls: servedRun.polls.times,
    async run(signal) {
      await servedRun.run(signal, events);
      return signal.aborted ? [] : servedRun.failures;
    },
    close: () => servedRun.close(),
  };
}

async function openFiles(
  files: readonly string[],
  options: ServeOptions,
  maxSamples: number,
  producer: string,
  terminal: Terminal,
): Promise<Subject> {
  if ((options.interface ?? options.bridge) !== undefined)
    throw new CommandError(ExitCode.usage, "give either -r FILE or an interface, not both");
  const result = await analyzeCaptures(files, options, producer, terminal);
  const packets = exposeFiles(result, maxSamples);
  const kept = limitSnapshot(result.snapshot, 1000);
  return {
    expose: () => ({ ...packets, connections: null, evidence: null }),
    snapshot: async () => kept,
    addHealth: () => {},
    rereadNames: () => {},
    polls: new Map(),
    run: (signal) => untilAborted(signal),
    close: () => {},
  };
}

function openHealth(
  { health, names, registry }: ServeOptions,
  onRound: (round: HealthRound) => void,
): HealthRounds | null {
  if (!health) return null;
  if (names === undefined)
    throw new CommandError(ExitCode.usage, "--health asks the services of a names file: add --names FILE");
  return new HealthRounds(names, registry, onRound);
}

function rereadNames(
  { names, read }: ServeOptions,
  subject: Subject,
  health: HealthRounds | null,
  terminal: Terminal,
): void {
  // What capture files hold has been counted under the names they had: only health would ask for others.
  if (names === undefined || (read !== undefined && health === null)) return;
  try {
    subject.rereadNames();
    health?.reread();
    terminal.say("the names file was read again");
  } catch (error) {
    const reason = error instanceof CommandError ? error.message : `names file ${names}: ${reasonOf(error)}`;
    terminal.say(`${reason}; the names before stay in use`);
  }
}

function untilAborted(signal: AbortSignal): Promise<readonly string[]> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve([]);
    signal.addEventListener("abort", () => resolve([]), { once: true });
  });
}

async function listen(
  server: WebServer,
  address: ListenAddress,
  { config }: ConfigReloader,
  terminal: Terminal,
): Promise<void> {
  let port: number;
  try {
    port = await server.listen(address.host, address.port);
  } catch (error) {
    throw new CommandError(ExitCode.failure, `${formatListen(address)}: ${reasonOf(error)}`);
  }
  const isGuarded = config.users !== null || (config.tls?.clientAuth ?? "").startsWith("Require");
  if (!isLoopback(address.host) && !isGuarded)
    terminal.say(
      "warning: every client that reaches this address can read who talks to whom; set users or client certificates with --web.config.file",
    );
  const scheme = config.tls === null ? "http" : "https";
  terminal.say(`listening on ${scheme}://${formatListen({ ...address, port })}/metrics`);
}

/** What remains is the right to ask connection tracking. Root's own file is opened as root, another's as that user. */
function giveUpRoot({ user, read }: ServeOptions, terminal: Terminal, events: EventWriter | null): void {
  const rights = rightsOf(user, terminal.env);
  if (rights.isRoots) events?.open(Date.now() * 1000);
  rights.giveUp(read === undefined);
  if (!rights.isRoots) events?.open(Date.now() * 1000);
}
