/** From captures to a Snapshot: opens them, runs them through an analyzer, reports the result of each. */
import { basename } from "node:path";
import { Analyzer } from "./analyze/analyzer.js";
import { Bound } from "./analyze/core/layout.js";
import { buildSnapshot, type ConntrackContext } from "./analyze/snapshot/build.js";
import type { LedgerFile, Snapshot } from "./analyze/snapshot/snapshot.js";
import type { ByteSource } from "./capture/file/bytes.js";
import { CaptureReader, readPackets } from "./capture/file/file.js";
import { INPUT_BYTES } from "./capture/file/input.js";
import { type CaptureProblem, openingProblem, problemOf, UnreadableError } from "./capture/file/problem.js";
import { type Names, namesOfCapture } from "./capture/names/names.js";
import type { Packet } from "./capture/packet.js";

/** One capture to read. */
export interface CaptureInput {
  readonly name: string;
  /** Opens it; the source is closed by the reader. Throws where it cannot be opened. */
  open(): ByteSource & { readonly size?: number };
}

/** Progress of reading. */
export interface CaptureProgress {
  /** Bytes read, as they are stored. */
  readonly bytes: number;
  /** Bytes of the captures whose size is known; 0: of none. */
  readonly size: number;
  readonly packets: number;
}

/** How captures are counted. */
export interface CountOptions {
  /** Names of addresses. null: addresses are shown; absent: the names that the captures carry. */
  readonly names?: Names | null | undefined;
  /** In tcpdump's language: only packets that match are counted. Absent or blank: all. */
  readonly filter?: string | undefined;
  /** Count packets in tunnels by the headers inside. Absent: no. */
  readonly decapsulate?: boolean | undefined;
  /** Show stand-ins for names that the packets hold. Absent: no. */
  readonly redact?: boolean | undefined;
  /** Conversations kept, a whole number from 1 to 16,000,000; those beyond are summed as `other`. */
  readonly maxFlows?: number | undefined;
  /** Seed of the flow table's hash, a 32-bit integer; changes no result. Absent: 0. */
  readonly seed?: number | undefined;
  /** Called a few times a second with the progress. */
  readonly onProgress?: ((progress: CaptureProgress) => void) | undefined;
}

interface CountContext extends CountOptions {
  readonly producer: string;
  readonly conntrack?: ConntrackContext | undefined;
}

/** The result of reading. */
export interface ReadResult {
  readonly snapshot: Snapshot;
  /** Problems of captures: those that could not be opened, then damaged ones. */
  readonly problems: readonly CaptureProblem[];
  /** The analyzer and the names that the Snapshot was built from. */
  readonly analyzer: Analyzer;
  readonly names: Names | null;
}

const PROGRESS_MS = 200;

/**
 * Reads captures as one, in time order, and closes them. Throws UnreadableError if nothing of any could be read,
 * CaptureError if the filter is invalid, RangeError if `maxFlows` is no whole number from 1 to 16,000,000.
 */
export async function countCaptures(
  inputs: readonly CaptureInput[],
  options: CountContext,
): Promise<ReadResult> {
  const { maxFlows, onProgress } = options;
  if (maxFlows !== undefined && !(Number.isSafeInteger(maxFlows) && maxFlows >= 1 && maxFlows <= Bound.flows))
    throw new RangeError(`maxFlows is ${maxFlows}, not a whole number from 1 to ${Bound.flows}`);
  const analyzer = new Analyzer({
    ...(maxFlows === undefined ? {} : { maxFlows }),
    decapsulate: options.decapsulate ?? false,
    seed: options.seed ?? 0,
    nameChangesUs: options.names?.changesUs() ?? [],
  });
  const { readers, size, unopened } = await openAll(inputs, (reader) => analyzer.room(reader, INPUT_BYTES));
  const tell = () =>
    onProgress?.({
      bytes: readers.reduce((sum, reader) => sum + reader.bytesTaken, 0),
      size,
      packets: analyzer.packets,
    });
  const timer = onProgress ? setInterval(tell, PROGRESS_MS) : undefined;
  try {
    await readPackets(readers, await takerOf(analyzer, options.filter), () => analyzer.flush());
  } finally {
    clearInterval(timer);
    for (const reader of readers) reader.close();
  }
  const found = readers.map(problemOf).filter((problem) => problem !== null);
  const unreadable = [...unopened, ...found.filter(({ kind }) => kind === "unreadable")];
  if (unreadable.length === inputs.length) throw new UnreadableError(unreadable);
  const names =
    options.names === undefined
      ? namesOfCapture(readers.flatMap((reader) => reader.report.names))
      : options.names;
  const snapshot = buildSnapshot(analyzer, {
    producer: options.producer,
    files: readers.map(ledgerFile),
    dropped: droppedOf(readers),
    names,
    redact: options.redact ?? false,
    ...(options.conntrack ? { conntrack: options.conntrack } : {}),
  });
  const problems = [...unreadable, ...found.filter(({ kind }) => kind === "damaged")];
  return { snapshot, problems, analyzer, names };
}

/** Counts a packet, where it matches. Rejects with CaptureError for a filter that is wrong, before any packet. Loads the filter's compiler for a filter alone. */
export async function takerOf(analyzer: Analyzer, filter = ""): Promise<(packet: Packet) => void> {
  if (filter.trim() === "") return (packet) => analyzer.add(packet);
  const { PacketFilter } = await import("./capture/file/file-filter.js");
  const packetFilter = new PacketFilter(filter);
  return (packet) => {
    if (packetFilter.matches(packet)) analyzer.add(packet);
  };
}

/** A capture's entry in the ledger. */
export function ledgerFile(reader: CaptureReader): LedgerFile {
  const { damages, damageCount } = reader.report;
  const first = damages[0];
  return {
    name: basename(reader.name),
    packets: reader.packets,
    damage: first ? { offset: first.offset, reason: first.reason, count: damageCount } : null,
  };
}

async function openAll(
  inputs: readonly CaptureInput[],
  roomOf: (reader: number) => Uint8Array | undefined,
): Promise<{ readers: CaptureReader[]; size: number; unopened: CaptureProblem[] }> {
  const readers: CaptureReader[] = [];
  const unopened: CaptureProblem[] = [];
  let size = 0;
  for (const input of inputs) {
    try {
      const source = input.open();
      size += source.size ?? 0;
      readers.push(await CaptureReader.open(input.name, source, roomOf(readers.length)));
    } catch (error) {
      unopened.push(openingProblem(input.name, error));
    }
  }
  return { readers, size, unopened };
}

/** Sum of the captures' own drop counts; null: none has one. */
function droppedOf(readers: readonly CaptureReader[]): number | null {
  const said = readers.map((reader) => reader.report.dropped).filter((n) => n !== null);
  return said.length === 0 ? null : said.reduce((sum, n) => sum + n, 0);
}
