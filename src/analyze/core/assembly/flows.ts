/** The flow table: open addressing over entries that lie dense in order of arrival. What an entry holds says flow/flowstore.ts. */
import { Cell, Double, Entry, Mark, Meta, Place, Row, Slot } from "../layout";
import { load32 } from "./big-endian";
import { evictFlows, expireFlow } from "./host";

/** Where the tables are, and what stirs the hash. */
let seed: i32 = 0;
let maxFlows: i32 = 0;
let entries4: usize = 0;
let entries6: usize = 0;
let index4: usize = 0;
let index6: usize = 0;
/** Microseconds without a packet after which a flow is over. */
let idleUs: f64 = Infinity;

export function placeFlows(
  stir: i32,
  flows: i32,
  at4: usize,
  at6: usize,
  slots4: usize,
  slots6: usize,
): void {
  seed = stir;
  maxFlows = flows;
  entries4 = at4;
  entries6 = at6;
  index4 = slots4;
  index6 = slots6;
}

export function setIdleTime(us: f64): void {
  idleUs = us;
}

function cell(which: i32): i32 {
  return load<i32>(Place.cells + (which << 2));
}

export function entryOf(place: i32, isIpv6: bool): usize {
  return isIpv6 ? entries6 + <usize>place * Entry.bytes6 : entries4 + <usize>place * Entry.bytes4;
}

/** Puts the ends of a row in order and works out its hash. */
export function prepare(row: usize): void {
  let marks = load<i32>(row, Row.marks);
  if ((marks & Mark.flow) === 0) return;
  const addresses = <usize>load<u32>(row, Row.addresses);
  const ports = load<i32>(row, Row.sentPorts);
  const meta = load<i32>(row, Row.meta);
  const source = ports >>> 16;
  const destination = ports & 0xffff;
  let fromB: bool;
  let hash: i32;
  if ((marks & Mark.ipv6) === 0) {
    const from = load32(addresses);
    const to = load32(addresses + 4);
    fromB = from === to ? source > destination : from > to;
    const a = fromB ? to : from;
    const b = fromB ? from : to;
    const ordered = fromB ? rotl<i32>(ports, 16) : ports;
    hash = hash4(a, b, ordered, meta);
    store<i32>(row, a, Row.a);
    store<i32>(row, b, Row.b);
    store<i32>(row, ordered, Row.ports);
  } else {
    const order = compare(addresses, addresses + 16);
    fromB = order === 0 ? source > destination : order > 0;
    const a = fromB ? addresses + 16 : addresses;
    const b = fromB ? addresses : addresses + 16;
    const ordered = fromB ? rotl<i32>(ports, 16) : ports;
    hash = hash6(a, b, ordered, meta);
    store<u32>(row, <u32>a, Row.a);
    store<u32>(row, <u32>b, Row.b);
    store<i32>(row, ordered, Row.ports);
  }
  if (fromB) {
    marks |= Mark.fromB;
    store<i32>(row, marks, Row.marks);
  }
  store<i32>(row, hash, Row.hash);
}

/** Reads the row's slot, for the first time. */
export function readSlot(row: usize): void {
  const hash = load<i32>(row, Row.hash);
  const isIpv6 = (load<i32>(row, Row.marks) & Mark.ipv6) !== 0;
  const slot = hash & (cell(isIpv6 ? Cell.slots6 : Cell.slots4) - 1);
  store<i32>(row, load<i32>((isIpv6 ? index6 : index4) + ((<usize>slot) << 2)), Row.entry);
}

/** Brings near the entry that the row's slot leads to. */
export function touchFlow(row: usize): i32 {
  const slot = load<i32>(row, Row.entry);
  const marks = load<i32>(row, Row.marks);
  if ((marks & Mark.flow) === 0 || slot === 0 || ((slot ^ load<i32>(row, Row.hash)) & Slot.tagMask) !== 0)
    return 0;
  const entry = entryOf((slot & Slot.entryMask) - 1, (marks & Mark.ipv6) !== 0);
  return load<i32>(entry) ^ load<i32>(entry, Entry.bytes4 - 4);
}

/** Finds the row's flow, or adds it. True: it was added. Where the table may be full the row is the only one that is under way. */
export function findFlow(row: usize): bool {
  return (load<i32>(row, Row.marks) & Mark.ipv6) === 0 ? find4(row) : find6(row);
}

function find4(row: usize): bool {
  const hash = load<i32>(row, Row.hash);
  const a = load<i32>(row, Row.a);
  const b = load<i32>(row, Row.b);
  const ports = load<i32>(row, Row.ports);
  const meta = load<i32>(row, Row.meta);
  const mask = cell(Cell.slots4) - 1;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const found = load<i32>(index4 + ((<usize>slot) << 2));
    if (found === 0) break;
    if (((found ^ hash) & Slot.tagMask) !== 0) continue;
    const place = (found & Slot.entryMask) - 1;
    const entry = entries4 + <usize>place * Entry.bytes4;
    if (
      load<i32>(entry) === a &&
      load<i32>(entry, 4) === b &&
      load<i32>(entry, 8) === ports &&
      (load<i32>(entry, Entry.meta4) & Meta.keyMask) === meta
    ) {
      if (idleUs < Infinity && isOver(entry + Entry.meta4, row)) {
        expireFlow(place, false);
        break;
      }
      store<i32>(row, place, Row.entry);
      return false;
    }
  }
  makeRoom();
  const place = cell(Cell.flows4);
  if (place * 2 >= cell(Cell.slots4)) makeIndex(false, cell(Cell.slots4) * 2);
  store<i32>(Place.cells + (Cell.flows4 << 2), place + 1);
  const entry = entries4 + <usize>place * Entry.bytes4;
  store<i32>(entry, a);
  store<i32>(entry, b, 4);
  store<i32>(entry, ports, 8);
  begin(entry + Entry.meta4, meta);
  link(index4, cell(Cell.slots4) - 1, hash, place);
  store<i32>(row, place, Row.entry);
  return true;
}

function find6(row: usize): bool {
  const hash = load<i32>(row, Row.hash);
  const a = <usize>load<u32>(row, Row.a);
  const b = <usize>load<u32>(row, Row.b);
  const ports = load<i32>(row, Row.ports);
  const meta = load<i32>(row, Row.meta);
  const mask = cell(Cell.slots6) - 1;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const found = load<i32>(index6 + ((<usize>slot) << 2));
    if (found === 0) break;
    if (((found ^ hash) & Slot.tagMask) !== 0) continue;
    const place = (found & Slot.entryMask) - 1;
    const entry = entries6 + <usize>place * Entry.bytes6;
    if (
      load<i32>(entry, 32) === ports &&
      (load<i32>(entry, Entry.meta6) & Meta.keyMask) === meta &&
      holds(entry, a) &&
      holds(entry + 16, b)
    ) {
      if (idleUs < Infinity && isOver(entry + Entry.meta6, row)) {
        expireFlow(place, true);
        break;
      }
      store<i32>(row, place, Row.entry);
      return false;
    }
  }
  makeRoom();
  const place = cell(Cell.flows6);
  if (place * 2 >= cell(Cell.slots6)) makeIndex(true, cell(Cell.slots6) * 2);
  store<i32>(Place.cells + (Cell.flows6 << 2), place + 1);
  const entry = entries6 + <usize>place * Entry.bytes6;
  for (let i: usize = 0; i < 16; i += 4) {
    store<i32>(entry + i, load32(a + i));
    store<i32>(entry + 16 + i, load32(b + i));
  }
  store<i32>(entry, ports, 32);
  begin(entry + Entry.meta6, meta);
  link(index6, cell(Cell.slots6) - 1, hash, place);
  store<i32>(row, place, Row.entry);
  return true;
}

/** Whether the flow had no packet for too long before the row's. One of which no packet has a time is never over. */
function isOver(metaAt: usize, row: usize): bool {
  const last = load<f64>(metaAt + 4, Double.last << 3);
  return last > -Infinity && load<f64>(row, Row.timeUs) - last >= idleUs;
}

function makeRoom(): void {
  if (cell(Cell.flows4) + cell(Cell.flows6) >= maxFlows) evictFlows();
}

/** Whether the four words of an entry are those of the address in a packet. */
function holds(words: usize, address: usize): bool {
  return (
    load<i32>(words) === load32(address) &&
    load<i32>(words, 4) === load32(address + 4) &&
    load<i32>(words, 8) === load32(address + 8) &&
    load<i32>(words, 12) === load32(address + 12)
  );
}

/** Orders two IPv6 addresses by their signed words: any order serves, if it is always the same. */
function compare(a: usize, b: usize): i32 {
  for (let i: usize = 0; i < 16; i += 4) {
    const x = load32(a + i);
    const y = load32(b + i);
    if (x !== y) return x < y ? -1 : 1;
  }
  return 0;
}

/** A flow that nothing was counted of. */
function begin(metaAt: usize, meta: i32): void {
  store<i32>(metaAt, meta);
  const doubles = metaAt + 4;
  memory.fill(doubles, 0, Double.count << 3);
  store<f64>(doubles, Infinity, Double.first << 3);
  store<f64>(doubles, -Infinity, Double.last << 3);
}

function link(index: usize, mask: i32, hash: i32, place: i32): void {
  let slot = hash & mask;
  while (load<i32>(index + ((<usize>slot) << 2)) !== 0) slot = (slot + 1) & mask;
  store<i32>(index + ((<usize>slot) << 2), (place + 1) | (hash & Slot.tagMask));
}

/** Rebuilds an index with so many slots. */
export function makeIndex(isIpv6: bool, slots: i32): void {
  const index = isIpv6 ? index6 : index4;
  store<i32>(Place.cells + ((isIpv6 ? Cell.slots6 : Cell.slots4) << 2), slots);
  memory.fill(index, 0, (<usize>slots) << 2);
  const count = cell(isIpv6 ? Cell.flows6 : Cell.flows4);
  for (let place = 0; place < count; place++) link(index, slots - 1, hashAt(place, isIpv6), place);
}

/** Takes an entry out; the last one takes its place. What stands behind it in the index moves up, so that all are found without it. */
export function removeFlow(isIpv6: bool, place: i32): void {
  const index = isIpv6 ? index6 : index4;
  const mask = cell(isIpv6 ? Cell.slots6 : Cell.slots4) - 1;
  const last = cell(isIpv6 ? Cell.flows6 : Cell.flows4) - 1;
  let hole = slotOf(index, mask, place, isIpv6);
  for (let slot = (hole + 1) & mask; ; slot = (slot + 1) & mask) {
    const found = load<i32>(index + ((<usize>slot) << 2));
    if (found === 0) break;
    const home = hashAt((found & Slot.entryMask) - 1, isIpv6) & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    store<i32>(index + ((<usize>hole) << 2), found);
    hole = slot;
  }
  store<i32>(index + ((<usize>hole) << 2), 0);
  if (place !== last) {
    const slot = index + ((<usize>slotOf(index, mask, last, isIpv6)) << 2);
    store<i32>(slot, (place + 1) | (load<i32>(slot) & Slot.tagMask));
    memory.copy(entryOf(place, isIpv6), entryOf(last, isIpv6), isIpv6 ? Entry.bytes6 : Entry.bytes4);
  }
  store<i32>(Place.cells + ((isIpv6 ? Cell.flows6 : Cell.flows4) << 2), last);
}

/** The slot of an entry that is in the index. */
function slotOf(index: usize, mask: i32, place: i32, isIpv6: bool): i32 {
  let slot = hashAt(place, isIpv6) & mask;
  while ((load<i32>(index + ((<usize>slot) << 2)) & Slot.entryMask) !== place + 1) slot = (slot + 1) & mask;
  return slot;
}

function hashAt(place: i32, isIpv6: bool): i32 {
  const entry = entryOf(place, isIpv6);
  const meta = load<i32>(entry + (isIpv6 ? Entry.meta6 : Entry.meta4)) & Meta.keyMask;
  return isIpv6
    ? hashEntry(entry, meta)
    : hash4(load<i32>(entry), load<i32>(entry, 4), load<i32>(entry, 8), meta);
}

/** Multiply-and-fold over the key's words; the constants are those of MurmurHash3. */
function hash4(a: i32, b: i32, ports: i32, meta: i32): i32 {
  let h = (a ^ seed) * 0xcc9e2d51;
  h = ((h ^ (h >>> 15)) + b) * 0x1b873593;
  h = ((h ^ (h >>> 13)) + ports) * 0x85ebca6b;
  h = ((h ^ (h >>> 16)) + meta) * 0xc2b2ae35;
  return h ^ (h >>> 16);
}

function mix(h: i32, word: i32): i32 {
  h = (h ^ word) * 0xcc9e2d51;
  return h ^ (h >>> 15);
}

function finish(h: i32, meta: i32): i32 {
  h = (h + meta) * 0x85ebca6b;
  h = (h ^ (h >>> 13)) * 0xc2b2ae35;
  return h ^ (h >>> 16);
}

function hash6(a: usize, b: usize, ports: i32, meta: i32): i32 {
  let h = seed;
  for (let i: usize = 0; i < 16; i += 4) h = mix(h, load32(a + i));
  for (let i: usize = 0; i < 16; i += 4) h = mix(h, load32(b + i));
  return finish(mix(h, ports), meta);
}

function hashEntry(entry: usize, meta: i32): i32 {
  let h = seed;
  for (let i: usize = 0; i < 36; i += 4) h = mix(h, load<i32>(entry + i));
  return finish(h, meta);
}
