/** The compiled part of the analysis: its memory, and the door to it. What it does says README.md. */
import {
  Batch,
  Bound,
  Cell,
  Entry,
  Layout,
  type Outcome,
  Place,
  Room,
  Slot,
  Total,
  TroubleLayout,
} from "./layout.js";
import { WASM } from "./wasm.js";

/** What the core asks for, at the moment it is due; it reads all that is changed by it. */
export interface CoreHost {
  /** The step of the series at hand is to be the one of this time, microseconds. */
  moveSeries(timeUs: number): void;
  /** The flow table is full: flows are to leave. */
  evictFlows(): void;
  /** A packet has come for the flow at this place, which is over: it is to leave. */
  expireFlow(place: number, isIpv6: boolean): void;
  /** The connections are full: some are to leave. */
  evictConnections(): void;
  /** Another connection begins on the ports of this one, which is over: says what came of it. */
  conclude(connection: number): Outcome;
  /** The segment of this row of the batch may say something to who follows what its connection carries. */
  follow(row: number, connection: number): void;
  /** The datagram of this row may be of a protocol that is read. */
  datagram(row: number): void;
}

export interface CoreBounds {
  readonly maxFlows: number;
  readonly maxConnections: number;
}

/** What counts: the compiled module, see assembly/core.ts. */
export interface Exports {
  begin(
    seed: number,
    flows: number,
    connections: number,
    entries4: number,
    entries6: number,
    slots4: number,
    slots6: number,
    connectionsAt: number,
    troublesAt: number,
  ): void;
  relink(isIpv6: boolean): void;
  remove(isIpv6: boolean, place: number): void;
  setIdle(us: number): void;
  decode(count: number, here: number): number;
  run(count: number): void;
}

interface Memory {
  readonly buffer: ArrayBuffer;
}

/** Node's own; the types of Node 20 do not have it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly Memory: new (size: { readonly initial: number }) => Memory;
};

const PAGE_BYTES = 65_536;
const MAX_PAGES = 65_536;
const LINE_BYTES = 64;

/** Node sets so many aside for each memory, whatever its size: so it needs to check no address. */
const NO_ADDRESSES =
  "no room for the flow table, for which Node sets 10 GiB of addresses aside: raise the limit with `ulimit -v unlimited`";

let compiled: object | null = null;

/**
 * The tables of one analysis, in one memory as large as they may become: the system hands out its pages as they are first touched, so what
 * is not used costs nothing, and nothing is ever moved. `open`: gives what counts in it.
 */
export class Core {
  readonly bounds: CoreBounds;
  readonly memory: Memory;
  /** All of it. */
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  readonly view: DataView;
  /** By Total, and by Cell. */
  readonly totals: Float64Array;
  readonly cells: Int32Array;
  /** Where the entries of either version and the connections begin, in bytes. */
  readonly entries4: number;
  readonly entries6: number;
  readonly connections: number;
  readonly troubles: number;
  readonly #rooms: number;
  readonly #exports: Exports;

  /** Throws RangeError where there is no room for so many. `seed` makes the hash unpredictable, so that senders cannot fill one slot. */
  constructor(
    bounds: CoreBounds,
    seed: number,
    host: CoreHost,
    open: (core: Core, host: CoreHost) => Exports = instantiate,
  ) {
    const { maxFlows, maxConnections } = bounds;
    if (maxFlows > Bound.flows || maxConnections > Bound.connections)
      throw new RangeError(
        `no more than ${Bound.flows} conversations and ${Bound.connections} connections have room in the core's memory`,
      );
    this.bounds = bounds;
    let end: number = Place.tables;
    const take = (bytes: number) => {
      const at = end;
      end = Math.ceil((end + bytes) / LINE_BYTES) * LINE_BYTES;
      return at;
    };
    const slotBytes = slotsFor(maxFlows) * 4;
    const [slots4, slots6] = [take(slotBytes), take(slotBytes)];
    end = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;
    this.#rooms = take(Room.count * Room.bytes);
    this.entries4 = take(maxFlows * Entry.bytes4);
    this.entries6 = take(maxFlows * Entry.bytes6);
    this.connections = take(maxConnections * Layout.words * 4);
    this.troubles = take(maxConnections * TroubleLayout.words * 4);
    this.memory = reserve(end);
    const { buffer } = this.memory;
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    this.view = new DataView(buffer);
    this.totals = new Float64Array(buffer, Place.totals, Total.count);
    this.cells = new Int32Array(buffer, Place.cells, Cell.count);
    this.totals[Total.firstUs] = Number.POSITIVE_INFINITY;
    this.totals[Total.lastUs] = Number.NEGATIVE_INFINITY;
    this.totals[Total.originUs] = Number.NaN;
    this.totals[Total.stepStart] = 1;
    this.cells[Cell.slots4] = Slot.first;
    this.cells[Cell.slots6] = Slot.first;
    this.#exports = open(this, host);
    const { entries4, entries6, connections, troubles } = this;
    const places = [entries4, entries6, slots4, slots6, connections, troubles] as const;
    this.#exports.begin(seed | 0, maxFlows, maxConnections, ...places);
  }

  /** Memory number `i` for one who reads packets, from the start of a page; undefined: there are not so many, or not so large. */
  room(i: number, bytes: number): Uint8Array | undefined {
    if (i >= Room.count || bytes > Room.bytes) return undefined;
    const at = this.#rooms + i * Room.bytes;
    return this.bytes.subarray(at, at + bytes);
  }

  /** Rebuilds the index of a version: entries have new places. */
  relink(version: 4 | 6): void {
    this.#exports.relink(version === 6);
  }

  /** Takes a flow out; the last of its version takes its place. */
  remove(version: 4 | 6, place: number): void {
    this.#exports.remove(version === 6, place);
  }

  /** A flow is over when it had no packet for so long, microseconds. Rows must then be run one by one. */
  setIdle(us: number): void {
    this.#exports.setIdle(us);
  }

  /**
   * Reads the headers of the first `count` rows whose packets bit i of `here` says to lie in this memory, as Ethernet frames. Gives the
   * bits of those whose headers it has not read: they are to be filled in before `run`, as the others'.
   */
  decode(count: number, here: number): number {
    return this.#exports.decode(count, here);
  }

  /** Counts the first `count` rows. */
  run(count: number): void {
    this.#exports.run(count);
  }
}

/** Compiles the core once, and gives another instance of it. */
export function instantiate({ memory }: Core, host: CoreHost): Exports {
  compiled ??= new WebAssembly.Module(Buffer.from(WASM, "base64"));
  return new WebAssembly.Instance(compiled, { env: { memory }, host }).exports as Exports;
}

/** Slots that an index of so many flows grows to: twice as many or more, and a power of two. */
function slotsFor(flows: number): number {
  let slots: number = Slot.first;
  while ((flows - 1) * 2 >= slots) slots *= 2;
  return slots;
}

function reserve(bytes: number): Memory {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  try {
    if (pages <= MAX_PAGES) return new WebAssembly.Memory({ initial: pages });
  } catch {
    // Said below.
  }
  throw Object.assign(new RangeError(NO_ADDRESSES), { code: "ENOMEM" });
}

/** Byte address of a row of the batch. */
export function rowAt(row: number): number {
  return Place.rows + (row << Batch.rowShift);
}
