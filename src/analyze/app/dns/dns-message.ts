/** Decodes the header and first question of a DNS message (RFC 1035 4) in place. */
import { Looks } from "../application.js";

/** RFC 1035 4.1.1 */
const enum Head {
  id = 0,
  flags = 2,
  questions = 4,
  answers = 6,
  authorities = 8,
  additionals = 10,
  length = 12,
}
const enum Flag {
  response = 0x8000,
  truncated = 0x0200,
  recursionAvailable = 0x0080,
  rcode = 0x000f,
}
const OPCODE_SHIFT = 11;
const OPCODE_MASK = 0xf;
/** RFC 1035 3.1: a name with its root takes at most so many bytes, a label so many. */
const MAX_NAME_BYTES = 255;
const MAX_LABEL = 63;
/** Bytes that are enough to read the head and one question. */
export const MAX_QUESTION = Head.length + MAX_NAME_BYTES + 4;

/** IANA, DNS parameters: resource record types. */
const TYPES = `1:A 2:NS 3:MD 4:MF 5:CNAME 6:SOA 7:MB 8:MG 9:MR 10:NULL 11:WKS 12:PTR 13:HINFO 14:MINFO 15:MX 16:TXT 17:RP 18:AFSDB 19:X25
20:ISDN 21:RT 22:NSAP 23:NSAP-PTR 24:SIG 25:KEY 26:PX 27:GPOS 28:AAAA 29:LOC 30:NXT 31:EID 32:NIMLOC 33:SRV 34:ATMA 35:NAPTR 36:KX 37:CERT
38:A6 39:DNAME 40:SINK 41:OPT 42:APL 43:DS 44:SSHFP 45:IPSECKEY 46:RRSIG 47:NSEC 48:DNSKEY 49:DHCID 50:NSEC3 51:NSEC3PARAM 52:TLSA
53:SMIMEA 55:HIP 56:NINFO 57:RKEY 58:TALINK 59:CDS 60:CDNSKEY 61:OPENPGPKEY 62:CSYNC 63:ZONEMD 64:SVCB 65:HTTPS 66:DSYNC 99:SPF 100:UINFO
101:UID 102:GID 103:UNSPEC 104:NID 105:L32 106:L64 107:LP 108:EUI48 109:EUI64 128:NXNAME 249:TKEY 250:TSIG 251:IXFR 252:AXFR 253:MAILB
254:MAILA 255:ANY 256:URI 257:CAA 258:AVC 259:DOA 260:AMTRELAY 261:RESINFO 262:WALLET 32768:TA 32769:DLV`;
const TYPE_NAMES: ReadonlyMap<number, Uint8Array> = new Map(
  TYPES.split(/\s+/).map((entry) => {
    const [number, name] = entry.split(":");
    return [Number(number), bytesOf(name!)];
  }),
);
/** IANA, DNS OpCodes; a query's operation is its type. */
const OPCODES: readonly (Uint8Array | null)[] = [
  null,
  bytesOf("IQUERY"),
  bytesOf("STATUS"),
  null,
  bytesOf("NOTIFY"),
  bytesOf("UPDATE"),
  bytesOf("DSO"),
];
const QUERY = 0;
const NOTIFY = 4;
const UPDATE = 5;
/** IANA, DNS RCODEs. Those from 16 on need EDNS (RFC 6891 6.1.3). */
const RCODES: readonly (string | null)[] = [
  "NOERROR",
  "FORMERR",
  "SERVFAIL",
  "NXDOMAIN",
  "NOTIMP",
  "REFUSED",
  "YXDOMAIN",
  "YXRRSET",
  "NXRRSET",
  "NOTAUTH",
  "NOTZONE",
  "DSOTYPENI",
  null,
  null,
  null,
  null,
  "BADVERS",
  "BADKEY",
  "BADTIME",
  "BADMODE",
  "BADNAME",
  "BADALG",
  "BADTRUNC",
  "BADCOOKIE",
];
const NXDOMAIN = 3;
/** RFC 6891 6.1.2: the type of the record that EDNS adds, and where its fields lie behind its name. */
const OPT = 41;
const enum RecordField {
  type = 0,
  extendedRcode = 4,
  dataLength = 8,
  length = 10,
}
const EXTENDED_SHIFT = 4;
/** RFC 1035 4.1.4: the first of two bytes that point to a name. */
const POINTER = 0xc0;

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** The name of an outcome, a response code. */
export function dnsOutcome(outcome: number): string {
  return RCODES[outcome] ?? `RCODE${outcome}`;
}

/** Whether a response code means failure. A name that does not exist (NXDOMAIN) is an answer. */
export function isDnsError(rcode: number): boolean {
  return rcode !== 0 && rcode !== NXDOMAIN;
}

/** One message. Reused: decoding allocates only for types without a name. */
export class DnsMessage {
  id = 0;
  isResponse = false;
  rcode = 0;
  /** What is asked: a type, or what is asked for otherwise (UPDATE). Empty where there is no question. */
  operation: Uint8Array = NO_OPERATION;
  /** Hash of the first question's name, without case (RFC 4343), and type; 0: there is none. */
  question = 0;

  /** Decodes bytes [at, end). False: no DNS message, or an incomplete question. */
  decode(view: DataView, at: number, end: number): boolean {
    if (end - at < Head.length) return false;
    this.id = view.getUint16(at + Head.id);
    const flags = view.getUint16(at + Head.flags);
    this.isResponse = (flags & Flag.response) !== 0;
    this.rcode = flags & Flag.rcode;
    if (this.isResponse) this.rcode |= extendedRcode(view, at, end) << EXTENDED_SHIFT;
    this.question = 0;
    const opcode = (flags >> OPCODE_SHIFT) & OPCODE_MASK;
    this.operation = OPCODES[opcode] ?? NO_OPERATION;
    if (view.getUint16(at + Head.questions) === 0) return true;
    const name = at + Head.length;
    const behind = skipName(view, name, end, false);
    if (behind < 0 || behind + 4 > end) return false;
    const type = view.getUint16(behind);
    let hash = 0x811c9dc5 ^ type;
    for (let i = name; i < behind; i++) hash = Math.imul(hash ^ lowerCase(view.getUint8(i)), 0x01000193);
    this.question = hash | 1;
    if (opcode === QUERY) this.operation = typeName(type);
    return true;
  }
}

const NO_OPERATION = new Uint8Array(0);

/** Of ASCII letters only. The length of a label is below them. */
function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** The upper bits of the response code, from the OPT record of message [at, end); 0 where it has none or was cut before it. */
function extendedRcode(view: DataView, at: number, end: number): number {
  const additionals = view.getUint16(at + Head.additionals);
  if (additionals === 0) return 0;
  let behind = at + Head.length;
  for (let n = view.getUint16(at + Head.questions); n > 0; n--) {
    behind = skipName(view, behind, end, true) + 4;
    if (behind < 4 || behind > end) return 0;
  }
  const before = view.getUint16(at + Head.answers) + view.getUint16(at + Head.authorities);
  for (let n = 0; n < before + additionals; n++) {
    const fields = skipName(view, behind, end, true);
    if (fields < 0 || fields + RecordField.length > end) return 0;
    if (n >= before && view.getUint16(fields + RecordField.type) === OPT)
      return view.getUint8(fields + RecordField.extendedRcode);
    behind = fields + RecordField.length + view.getUint16(fields + RecordField.dataLength);
  }
  return 0;
}

/** The type's name, or TYPE and its number (RFC 3597 5). */
function typeName(type: number): Uint8Array {
  return TYPE_NAMES.get(type) ?? bytesOf(`TYPE${type}`);
}

/** The position behind a name, or -1. `mayPoint`: it may end with a pointer; the first question has nothing before it to point to. */
function skipName(view: DataView, at: number, end: number, mayPoint: boolean): number {
  let i = at;
  while (i < end) {
    const length = view.getUint8(i);
    if (mayPoint && length >= POINTER) return i + 2 <= end ? i + 2 : -1;
    if (length > MAX_LABEL) return -1;
    i += 1 + length;
    if (i - at > MAX_NAME_BYTES) return -1;
    if (length === 0) return i <= end ? i : -1;
  }
  return -1;
}

/** Whether the bytes of a header, as far as present, are plausible. */
export function mayBeDns(view: DataView, at: number, end: number): boolean {
  if (end - at < Head.questions) return true;
  const flags = view.getUint16(at + Head.flags);
  const opcode = (flags >> OPCODE_SHIFT) & OPCODE_MASK;
  const isResponse = (flags & Flag.response) !== 0;
  if (opcode !== QUERY && opcode !== NOTIFY && opcode !== UPDATE) return false;
  if (!isResponse && (flags & (Flag.recursionAvailable | Flag.rcode | Flag.truncated)) !== 0) return false;
  if (end - at < Head.length) return true;
  const questions = view.getUint16(at + Head.questions);
  const answers = view.getUint16(at + Head.answers);
  const authorities = view.getUint16(at + Head.authorities);
  const additionals = view.getUint16(at + Head.additionals);
  if (questions > 1 || (!isResponse && questions === 0)) return false;
  // An IXFR query carries one authority (RFC 1995 3), a notification one answer (RFC 1996 3.7), an update anything.
  if (!isResponse && opcode !== UPDATE && (answers > 1 || authorities > 1 || additionals > 3)) return false;
  if (!isResponse && opcode === QUERY && answers > 0) return false;
  return true;
}

/**
 * What a datagram looks like. Strict, since the port is not asked: a head without contradictions, counts that fit the length, one question
 * with a type and a class that exists (the bytes of a name can be any: RFC 2181 11); or, in a response without a question, a first record.
 */
export function looksLikeDns(view: DataView, at: number, end: number): Looks {
  if (end - at < Head.length || !mayBeDns(view, at, end)) return Looks.no;
  const isResponse = (view.getUint16(at + Head.flags) & Flag.response) !== 0;
  const questions = view.getUint16(at + Head.questions);
  const records =
    view.getUint16(at + Head.answers) +
    view.getUint16(at + Head.authorities) +
    view.getUint16(at + Head.additionals);
  let behind = at + Head.length;
  if (questions === 1) {
    behind = skipName(view, behind, end, false);
    if (behind < 0 || behind + 4 > end) return Looks.no;
    if (view.getUint16(behind) === 0 || !isClass(view.getUint16(behind + 2))) return Looks.no;
    if (isNetbios(view, at + Head.length)) return Looks.no;
    behind += 4;
  } else if (records === 0) return isRefusal(view, at, end) ? Looks.response : Looks.no;
  if (behind < end && !(records === 0 ? isMarked(view, behind, end) : looksLikeRecord(view, behind, end)))
    return Looks.no;
  if (questions === 0 && behind === end) return Looks.no;
  return isResponse ? Looks.response : Looks.request;
}

/** NetBIOS has messages of the same form: a name's first label is 32 letters from A to P there (RFC 1001 14.1). */
function isNetbios(view: DataView, at: number): boolean {
  if (view.getUint8(at) !== 32) return false;
  for (let i = at + 1; i <= at + 32; i++)
    if (view.getUint8(i) < 0x41 || view.getUint8(i) > 0x50) return false;
  return true;
}

/** Windows asks for transfers with `MS` behind the question. */
function isMarked(view: DataView, at: number, end: number): boolean {
  return end - at === 2 && view.getUint16(at) === 0x4d53;
}

/** Only a header: some servers answer like this to queries that they cannot read or refuse. */
function isRefusal(view: DataView, at: number, end: number): boolean {
  return end - at === Head.length && isDnsError(view.getUint16(at + Head.flags) & Flag.rcode);
}

/** IANA, DNS classes: IN, CH, HS, NONE, ANY. */
function isClass(value: number): boolean {
  return value === 1 || value === 3 || value === 4 || value === 254 || value === 255;
}

/** A record's name is a pointer, the root or labels; its class exists, unless it is EDNS (RFC 6891 6.1.2). What a capture cut is believed. */
function looksLikeRecord(view: DataView, at: number, end: number): boolean {
  const first = view.getUint8(at);
  const behind = skipName(view, at, end, true);
  if (behind < 0) return first >= POINTER || first <= MAX_LABEL;
  if (behind + 4 > end) return true;
  const type = view.getUint16(behind);
  return type === OPT || (type !== 0 && isClass(view.getUint16(behind + 2)));
}
