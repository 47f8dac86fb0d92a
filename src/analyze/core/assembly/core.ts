/** Counts packets in batches: see README.md. */
import {
  Batch,
  Cell,
  Double,
  Entry,
  Mark,
  MarkShift,
  Meta,
  Needless,
  Place,
  Row,
  TcpFlag,
  Total,
} from "../layout";
import { countSegment, placeConnections, takeConnection, touchConnection } from "./connections";
import {
  entryOf,
  findFlow,
  makeIndex,
  placeFlows,
  prepare,
  readSlot,
  removeFlow,
  setIdleTime,
  touchFlow,
} from "./flows";
import { readHeaders } from "./headers";
import { datagram, evictConnections, moveSeries } from "./host";

/** Packets and bytes of a class. */
const CLASS_BYTES: i32 = 16;

let maxFlows: i32 = 0;
let maxConnections: i32 = 0;

/** Says where the tables are, and how much they may hold. Call it once, first. */
export function begin(
  seed: i32,
  flows: i32,
  connections: i32,
  entries4: usize,
  entries6: usize,
  slots4: usize,
  slots6: usize,
  connectionsAt: usize,
  troublesAt: usize,
): void {
  maxFlows = flows;
  maxConnections = connections;
  placeFlows(seed, flows, entries4, entries6, slots4, slots6);
  placeConnections(connectionsAt, troublesAt);
}

/** Rebuilds the index of a version: entries have new places. */
export function relink(isIpv6: bool): void {
  makeIndex(isIpv6, cell(isIpv6 ? Cell.slots6 : Cell.slots4));
}

/** Takes a flow out; the last of its version takes its place. */
export function remove(isIpv6: bool, place: i32): void {
  removeFlow(isIpv6, place);
}

/** A flow is over when it had no packet for so long. Rows are then run one by one: a place that was found may be another's. */
export function setIdle(us: f64): void {
  setIdleTime(us);
}

/** Reads the headers of those of the first `count` rows whose bit in `here` says that their packet is in this memory. Gives the bits of those that TypeScript has to read. */
export function decode(count: i32, here: u32): u32 {
  let left = here;
  for (let i = 0; i < count; i++) {
    const bit = (<u32>1) << i;
    if ((here & bit) !== 0 && readHeaders(rowOf(i))) left &= ~bit;
  }
  return left;
}

/** Counts the first `count` rows, whose headers are read. */
export function run(count: i32): void {
  for (let i = 0; i < count; i++) {
    const row = rowOf(i);
    countTotals(row);
    prepare(row);
  }
  let done = 0;
  while (done < count) {
    // So few that nothing has to leave on the way, or one.
    const flows = maxFlows - cell(Cell.flows4) - cell(Cell.flows6);
    const connections = maxConnections - cell(Cell.used);
    const end = done + max(1, min(count - done, min(flows, connections)));
    let sink = 0;
    for (let i = done; i < end; i++) readSlot(rowOf(i));
    for (let i = done; i < end; i++) sink ^= touchFlow(rowOf(i));
    for (let i = done; i < end; i++) find(rowOf(i));
    for (let i = done; i < end; i++) sink ^= touchLinked(rowOf(i));
    store<i32>(Place.cells + (Cell.sink << 2), sink);
    for (let i = done; i < end; i++) countFlow(rowOf(i), i);
    done = end;
  }
}

function rowOf(i: i32): usize {
  return Place.rows + (i << Batch.rowShift);
}

function cell(which: i32): i32 {
  return load<i32>(Place.cells + (which << 2));
}

function total(which: i32): f64 {
  return load<f64>(Place.totals + (which << 3));
}

function setTotal(which: i32, value: f64): void {
  store<f64>(Place.totals + (which << 3), value);
}

/** Counts a packet in what is counted of all. */
function countTotals(row: usize): void {
  const length = load<f64>(row, Row.length);
  const timeUs = load<f64>(row, Row.timeUs);
  const caplen = <f64>load<i32>(row, Row.caplen);
  setTotal(Total.packets, total(Total.packets) + 1);
  setTotal(Total.bytes, total(Total.bytes) + length);
  setTotal(Total.capturedBytes, total(Total.capturedBytes) + caplen);
  if (caplen < length) setTotal(Total.truncated, total(Total.truncated) + 1);
  addTo(Place.protocols + (load<i32>(row, Row.slot) << 4), length);
  if (timeUs < 0) {
    setTotal(Total.timeless, total(Total.timeless) + 1);
    return;
  }
  const nanos = load<i32>(row, Row.nanos);
  const first = total(Total.firstUs);
  if (timeUs <= first && (timeUs < first || nanos < cell(Cell.firstNanos))) {
    setTotal(Total.firstUs, timeUs);
    store<i32>(Place.cells + (Cell.firstNanos << 2), nanos);
  }
  const last = total(Total.lastUs);
  if (timeUs >= last && (timeUs > last || nanos > cell(Cell.lastNanos))) {
    setTotal(Total.lastUs, timeUs);
    store<i32>(Place.cells + (Cell.lastNanos << 2), nanos);
  }
  if (timeUs < total(Total.stepStart) || timeUs >= total(Total.stepEnd)) moveSeries(timeUs);
  const seriesClass = load<i32>(row, Row.marks) >>> MarkShift.seriesClass;
  addTo(Place.series + (cell(Cell.step) << 3) + seriesClass * CLASS_BYTES, length);
}

/** Counts one packet at a pair of doubles: packets, bytes. */
function addTo(at: usize, length: f64): void {
  store<f64>(at, load<f64>(at) + 1);
  store<f64>(at, load<f64>(at, 8) + length, 8);
}

/** Finds the row's flow. */
function find(row: usize): void {
  const marks = load<i32>(row, Row.marks);
  if ((marks & Mark.flow) === 0) return;
  if (findFlow(row) && (marks & Mark.fromB) !== 0) mark(row, Meta.firstFromB);
}

/** Brings the row's connection near. */
function touchLinked(row: usize): i32 {
  const marks = load<i32>(row, Row.marks);
  if ((marks & Mark.segment) === 0) return 0;
  const link = load<i32>(metaOf(row, marks)) >>> Meta.linkShift;
  return link === 0 ? 0 : touchConnection(link - 1);
}

function metaOf(row: usize, marks: i32): usize {
  const isIpv6 = (marks & Mark.ipv6) !== 0;
  return entryOf(load<i32>(row, Row.entry), isIpv6) + (isIpv6 ? Entry.meta6 : Entry.meta4);
}

function mark(row: usize, bits: i32): void {
  const meta = metaOf(row, load<i32>(row, Row.marks));
  store<i32>(meta, load<i32>(meta) | bits);
}

/** Counts a packet in its flow, then looks into it. */
function countFlow(row: usize, i: i32): void {
  const marks = load<i32>(row, Row.marks);
  if ((marks & Mark.flow) === 0) return;
  const fromB = (marks & Mark.fromB) !== 0;
  const meta = metaOf(row, marks);
  const doubles = meta + 4;
  addTo(fromB ? doubles + (Double.reply << 3) : doubles, load<f64>(row, Row.length));
  const timeUs = load<f64>(row, Row.timeUs);
  if (timeUs >= 0) {
    if (timeUs < load<f64>(doubles, Double.first << 3)) store<f64>(doubles, timeUs, Double.first << 3);
    if (timeUs > load<f64>(doubles, Double.last << 3)) store<f64>(doubles, timeUs, Double.last << 3);
  }
  const flags = (marks >>> MarkShift.flags) & 0xff;
  if ((flags & TcpFlag.syn) !== 0) {
    const answers = (flags & TcpFlag.ack) !== 0;
    store<i32>(meta, load<i32>(meta) | (answers === fromB ? Meta.begunByA : Meta.begunByB));
  } else if ((marks & Mark.request) !== 0)
    store<i32>(meta, load<i32>(meta) | (fromB ? Meta.begunByB : Meta.begunByA));
  if ((marks & Mark.whole) === 0) return;
  if (timeUs >= 0) {
    // biome-ignore lint/suspicious/noGlobalIsNan: it is AssemblyScript's.
    if (isNaN(total(Total.originUs))) setTotal(Total.originUs, timeUs);
    setTotal(Total.clock, (timeUs - total(Total.originUs)) * 1000 + <f64>load<i32>(row, Row.nanos));
  }
  if ((marks & Mark.segment) !== 0) {
    let link = load<i32>(meta) >>> Meta.linkShift;
    if (link === 0) {
      if (cell(Cell.used) >= maxConnections) evictConnections();
      const place = load<i32>(row, Row.entry) * 2 + ((marks & Mark.ipv6) !== 0 ? 1 : 0);
      link = takeConnection(place) + 1;
      store<i32>(meta, load<i32>(meta) | (link << Meta.linkShift));
    }
    countSegment(row, i, link - 1);
  } else if ((marks & Mark.datagram) !== 0 && load<i32>(meta) >>> Meta.linkShift !== Needless.udp)
    datagram(i);
}
