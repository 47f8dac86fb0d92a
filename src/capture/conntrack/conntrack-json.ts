/** Tracked connections as JSON and back, exactly. */
import { z } from "zod";
import { type AddressBytes, parseAddress } from "../../net.js";
import { type ConntrackTable, EntryMeta, Value, Word } from "./conntrack-table.js";

const uint = (most: number) => z.int().min(0).max(most);
const count = z.number().nonnegative();

export const addressText = z.string().refine((text) => parseAddress(text) !== null, "not an address");

const tupleSchema = z.strictObject({
  source: addressText,
  destination: addressText,
  source_port: uint(0xffff).describe("ICMP: its identifier; 0 where `ports` is none"),
  destination_port: uint(0xffff).describe("ICMP: its type times 256 plus its code; 0 where `ports` is none"),
});

export const entrySchema = z
  .strictObject({
    protocol: uint(0xff).describe("IP protocol number"),
    state: uint(0xff).describe("Of the protocol, by the kernel's number: 3 is TCP's ESTABLISHED"),
    status: z.int().describe("The kernel's status bits: 2 seen reply, 4 assured, 16 SNAT, 32 DNAT"),
    timeout: uint(0xffffffff).nullable().describe("Seconds left; null: not said"),
    mark: uint(0xffffffff),
    zones: z.tuple([uint(0xffff), uint(0xffff)]).describe("Of the orig and the reply direction"),
    ports: z.enum(["ports", "icmp", "none"]).describe("What the numbers of the tuples are"),
    orig: tupleSchema,
    reply: tupleSchema,
    counters: z
      .tuple([count, count, count, count])
      .nullable()
      .describe("Packets and IP bytes, orig then reply; null: accounting was off"),
    start_us: count.nullable().describe("Microseconds since 1970; null: the kernel keeps no times"),
  })
  .refine((entry) => familiesOf(entry).size === 1, "addresses of two families")
  .describe("One tracked connection");

export type EntryJson = z.infer<typeof entrySchema>;
type TupleJson = z.infer<typeof tupleSchema>;

/** An entry of a table. */
export function entryToJson(table: ConntrackTable, entry: number): EntryJson {
  const meta = table.word(entry, Word.meta);
  const number = (value: Value) => table.number(entry, value);
  const zones = table.word(entry, Word.zones);
  const startUs = number(Value.startUs);
  return {
    protocol: meta & EntryMeta.protocolMask,
    state: (meta & EntryMeta.stateMask) >>> EntryMeta.stateShift,
    status: table.word(entry, Word.status),
    timeout: (meta & EntryMeta.timeout) === 0 ? null : table.word(entry, Word.timeout) >>> 0,
    mark: table.word(entry, Word.mark) >>> 0,
    zones: [zones >>> 16, zones & 0xffff],
    ports: (meta & EntryMeta.ports) !== 0 ? "ports" : (meta & EntryMeta.icmp) !== 0 ? "icmp" : "none",
    orig: tupleToJson(table, entry, Word.origSource, Word.origPorts),
    reply: tupleToJson(table, entry, Word.replySource, Word.replyPorts),
    counters: Number.isNaN(number(Value.origPackets))
      ? null
      : [
          number(Value.origPackets),
          number(Value.origBytes),
          number(Value.replyPackets),
          number(Value.replyBytes),
        ],
    start_us: Number.isNaN(startUs) ? null : startUs,
  };
}

function tupleToJson(table: ConntrackTable, entry: number, source: Word, ports: Word): TupleJson {
  const both = table.word(entry, ports);
  return {
    source: table.addressText(entry, source),
    destination: table.addressText(entry, source + 4),
    source_port: both >>> 16,
    destination_port: both & 0xffff,
  };
}

/** Adds an entry to a table; where that is at its bound, the table counts it as omitted. */
export function addEntry(table: ConntrackTable, json: EntryJson): void {
  const entry = table.add();
  if (entry < 0) return;
  const { words, numbers } = table;
  const at = entry * Word.count;
  setTuple(words, at + Word.origSource, at + Word.origPorts, json.orig);
  setTuple(words, at + Word.replySource, at + Word.replyPorts, json.reply);
  words[at + Word.meta] =
    json.protocol |
    (json.state << EntryMeta.stateShift) |
    (familiesOf(json).has(16) ? EntryMeta.ipv6 : 0) |
    (json.ports === "ports" ? EntryMeta.ports : json.ports === "icmp" ? EntryMeta.icmp : 0) |
    (json.timeout === null ? 0 : EntryMeta.timeout);
  words[at + Word.status] = json.status;
  words[at + Word.timeout] = json.timeout ?? 0;
  words[at + Word.mark] = json.mark;
  words[at + Word.zones] = (json.zones[0] << 16) | json.zones[1];
  if (json.counters !== null) numbers.set(json.counters, entry * Value.count);
  if (json.start_us !== null) numbers[entry * Value.count + Value.startUs] = json.start_us;
}

function setTuple(words: Int32Array, addresses: number, ports: number, tuple: TupleJson): void {
  setAddress(words, addresses, parseAddress(tuple.source)!);
  setAddress(words, addresses + 4, parseAddress(tuple.destination)!);
  words[ports] = (tuple.source_port << 16) | tuple.destination_port;
}

function setAddress(words: Int32Array, at: number, bytes: AddressBytes): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i * 4 < bytes.length; i++) words[at + i] = view.getInt32(i * 4);
}

/** Bytes of the addresses. */
function familiesOf({ orig, reply }: { orig: TupleJson; reply: TupleJson }): Set<number> {
  const texts = [orig.source, orig.destination, reply.source, reply.destination];
  return new Set(texts.map((text) => (text.includes(":") ? 16 : 4)));
}
