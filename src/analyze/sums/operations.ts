/** Sums of requests between services. */
import type { Names } from "../../capture/names/names.js";
import type { Analyzer } from "../analyzer.js";
import type { Application } from "../app/application.js";
import { APPLICATIONS } from "../app/applications.js";
import type { Channels } from "../app/channels.js";
import { createCounts, type Operation, type RequestCounts } from "../app/operations.js";
import { StandIns } from "../redact.js";
import { OTHER } from "../snapshot/limit.js";

/** An operation from one service to another. */
export interface OperationSum extends RequestCounts {
  readonly source: string;
  readonly destination: string;
  readonly operation: string;
  /** Time from which every answer to every client was a failure; null: none. */
  failingSinceUs: number | null;
  /** The last answer to some client was good. */
  isServing: boolean;
}

/** Operations by application, those between services of the same names joined. `redact`: stand-ins for names from the wire. */
export function sumOperations(
  { inspector }: Analyzer,
  names: Names | null,
  redact: boolean,
): ReadonlyMap<Application, readonly OperationSum[]> {
  const { operations, channels } = inspector;
  const labels = new ChannelLabels(channels, names);
  const byName = new Map(APPLICATIONS.map((application) => [application.name, application]));
  const found = new Map<Application, Map<string, OperationSum>>();
  const standIns = redact ? new StandIns() : null;
  for (const operation of operations.list) {
    const source = labels.of(operation.channel, false);
    const destination = labels.of(operation.channel, true);
    const application = byName.get(operation.application)!;
    const ofApplication = found.get(application) ?? new Map<string, OperationSum>();
    found.set(application, ofApplication);
    const name = standIns?.of(application, operation.name) ?? operation.name;
    const key = `${source}\n${destination}\n${name}`;
    const sum = ofApplication.get(key) ?? createSum(source, destination, name);
    ofApplication.set(key, sum);
    add(sum, operation);
  }
  return new Map([...found].map(([application, sums]) => [application, [...sums.values()]]));
}

function createSum(source: string, destination: string, operation: string): OperationSum {
  return {
    source,
    destination,
    operation,
    ...createCounts(),
    failingSinceUs: null,
    isServing: false,
  };
}

function add(sum: OperationSum, operation: Operation): void {
  sum.requests += operation.requests;
  sum.answered += operation.answered;
  sum.errors += operation.errors;
  sum.lost += operation.lost;
  sum.unseen += operation.unseen;
  sum.requestBytes += operation.requestBytes;
  sum.responseBytes += operation.responseBytes;
  for (const [outcome, count] of operation.outcomes)
    sum.outcomes.set(outcome, (sum.outcomes.get(outcome) ?? 0) + count);
  sum.durations.merge(operation.durations);
  if (operation.answered > 0 && operation.failingSinceUs === null) sum.isServing = true;
  sum.failingSinceUs = sum.isServing ? null : later(sum.failingSinceUs, operation.failingSinceUs);
}

/** The later of two times, of which none may be known. Runs of failures side by side are one run from the last beginning on. */
export function later(x: number | null, y: number | null): number | null {
  return x === null || y === null ? (x ?? y) : Math.max(x, y);
}

/** Labels of the ends of channels, the same as those of flows. */
class ChannelLabels {
  readonly #channels: Channels;
  readonly #names: Names | null;
  readonly #known = new Map<number, string>();

  constructor(channels: Channels, names: Names | null) {
    this.#channels = channels;
    this.#names = names;
  }

  of(channel: number, ofServer: boolean): string {
    const key = channel * 2 + (ofServer ? 1 : 0);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const { address, port } = this.#channels.end(channel, ofServer);
    const label =
      address === null
        ? OTHER
        : (this.#names?.label(address, port, this.#channels.startUs(channel)) ?? address);
    this.#known.set(key, label);
    return label;
  }
}
