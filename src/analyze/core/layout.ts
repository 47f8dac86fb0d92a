/**
 * Where everything lies in the core's memory, and what its numbers mean: the one description that TypeScript and AssemblyScript both
 * compile. Whole numbers only, in const enums.
 */

/** Byte addresses of what has a fixed place. The tables follow behind `tables`, as large as they may become: see core.ts. */
export const enum Place {
  /** Doubles: see Total. */
  totals = 1024,
  /** 32-bit words: see Cell. */
  cells = 1280,
  /** Packets and bytes by ProtocolSlot, in turn. */
  protocols = 1536,
  /** The cells of the series. */
  series = 10_240,
  /** The batch: see Row. */
  rows = 40_960,
  tables = 65_536,
}

/** Packets that are looked at together: rows, slots, flows and connections of so many fit in the first cache. */
export const enum Batch {
  rows = 32,
  /** A row is 2^rowShift bytes. */
  rowShift = 8,
}

/** Doubles from Place.totals. */
export const enum Total {
  packets = 0,
  bytes = 1,
  capturedBytes = 2,
  truncated = 3,
  timeless = 4,
  /** Earliest and latest time, microseconds; Infinity and -Infinity before the first. */
  firstUs = 5,
  lastUs = 6,
  /** When nanosecond 0 of the clock is, microseconds since 1970; NaN: no packet had a time. */
  originUs = 7,
  /** The time of the last packet with a TCP or UDP header, nanoseconds since the first. */
  clock = 8,
  /** Where the series' step at hand begins and ends, microseconds. */
  stepStart = 9,
  stepEnd = 10,
  count = 11,
}

/** 32-bit words from Place.cells. */
export const enum Cell {
  firstNanos = 0,
  lastNanos = 1,
  /** Index of the first double of the series' step at hand. */
  step = 2,
  /** Flows of each version, and slots of their indexes. */
  flows4 = 3,
  flows6 = 4,
  slots4 = 5,
  slots6 = 6,
  /** Connections in use; one more than the highest number ever used; number and one of the entry that was given back last, 0: none. */
  used = 7,
  top = 8,
  free = 9,
  /** Swallows what is read only to bring it near. */
  sink = 10,
  /** As `top` and `free`, of the entries of trouble. */
  troubles = 11,
  freeTrouble = 12,
  count = 13,
}

/** A row of the batch: byte offsets. Lines 0 and 1 are what every packet needs; what follows only where TypeScript read the headers. */
export const enum Row {
  /** As in Packet. Doubles. */
  timeUs = 0,
  length = 8,
  /** End a and end b in order: IPv4 addresses, or where those of IPv6 are. */
  a = 16,
  b = 20,
  ports = 24,
  /** Key bits of Meta. */
  meta = 28,
  /** See Mark. */
  marks = 32,
  hash = 36,
  /** What the slot held, then the flow's place. */
  entry = 40,
  /** Where the TCP header is in the core's memory. */
  transport = 44,
  /** Bytes carried, captured or not. */
  payloadLength = 48,
  /** Where in the packet's view they begin, and where what was captured of them ends. */
  payload = 52,
  end = 56,
  nanos = 60,
  /** Where the source's and then the destination's address are in the core's memory. */
  addresses = 64,
  /** Source and destination port. */
  sentPorts = 68,
  offset = 72,
  caplen = 76,
  /** ProtocolSlot. */
  slot = 80,
  /** End of what is here of the TCP header. */
  headerEnd = 84,
  /** Copies of addresses and TCP header, of packets that lie elsewhere. */
  addressCopy = 128,
  headerCopy = 160,
}

/** Bits of Row.marks; above them see MarkShift. */
export const enum Mark {
  fromB = 1,
  ipv6 = 2,
  /** It is counted in a flow. */
  flow = 4,
  /** A whole TCP or UDP header. */
  whole = 8,
  /** A TCP segment that can be judged, a datagram that carries something. */
  segment = 16,
  datagram = 32,
  /** An echo request. */
  request = 64,
}

/** Where in Row.marks TCP's flag byte is, and the class of the series. */
export const enum MarkShift {
  flags = 8,
  seriesClass = 16,
}

/** Bits of the `meta` word of a flow. The low ones belong to the key. */
export const enum Meta {
  protocolMask = 0xff,
  /** No ports = not TCP or UDP, or not captured, or a later fragment. */
  portless = 1 << 8,
  keyMask = 0x1ff,
  /** The first packet went from b to a. */
  firstFromB = 1 << 9,
  /** A handshake or echo request showed that a (b) began. */
  begunByA = 1 << 10,
  begunByB = 1 << 11,
  /** Above these, 20 bits: what `link` gives. */
  linkShift = 12,
  linkMask = 0xfffff,
}

/** Doubles of a flow, counted from the first. */
export const enum Double {
  packets = 0,
  bytes = 1,
  /** From a's counts to b's. */
  reply = 2,
  first = 4,
  last = 5,
  count = 6,
}

/** Bytes of a flow's entry, and offset of its `meta` word: the doubles follow it. */
export const enum Entry {
  bytes4 = 64,
  bytes6 = 96,
  meta4 = 12,
  meta6 = 36,
}

/** A slot of the index: number of the entry and one, 0: empty; above it the top bits of the hash, so that few wrong entries are looked at. */
export const enum Slot {
  entryMask = 0xff_ffff,
  tagMask = 0xff00_0000,
  first = 2048,
}

/** The link of a UDP flow that is not looked into any more. */
export const enum Needless {
  udp = 15,
  /** `Shared.stream` of a connection that needs no stream any more. */
  stream = -1,
}

/** Bits of TCP's flag byte. */
export const enum TcpFlag {
  fin = 1,
  syn = 2,
  rst = 4,
  psh = 8,
  ack = 16,
}

/** Words of a connection's entry: three cache lines. The first two hold what every segment needs, the third what most do. */
export const enum Layout {
  words = 48,
  sideB = 12,
  sides = 24,
}

/** Words of a side, from its first. Times are doubles at even words: nanoseconds since the first packet. */
export const enum Side {
  /** The highest sequence number seen and one; 0: nothing seen. */
  nextSeq = 0,
  /** Up to where what was seen has no hole: what may be acknowledged; 0: nothing seen. */
  maxAcked = 1,
  /** The last acknowledgement it sent. */
  lastAck = 2,
  /** The last window it offered, as in the header; -1: none seen. */
  window = 3,
  /** See SideFlag; above them duplicate acknowledgements in a row, -1: of something that was not seen. */
  flags = 4,
  /** End of the segment that a round trip is measured with. */
  probe = 5,
  /** When it last acknowledged: microseconds, modulo 2^32. */
  lastAckUs = 6,
  /** Segments that take sequence numbers: data, SYN, FIN. */
  segments = 7,
  nextSeqTime = 8,
  /** When that segment was sent; negative: none is measured. */
  probeTime = 10,
  /** Its initial sequence number. */
  baseSeq = 32,
  roundTrips = 33,
  roundTripSum = 34,
}

export const enum SideFlag {
  baseSeen = 1,
  /** Its last segment was a keep-alive, or a probe of a zero window. */
  keepAlive = 2,
  probe = 4,
  /** It has sent a SYN and no ACK since: its windows are not yet scaled. */
  unscaled = 8,
  mask = 0xffff,
}

/** Where in a side's flags its Scale is, and the duplicate acknowledgements. */
export const enum FlagShift {
  scale = 4,
  scaleMask = 0x1f,
  duplicates = 16,
}

/** What is known of the shift of a side's windows. */
export const enum Scale {
  unknown = 0,
  none = 1,
  /** From here on: the shift and this. */
  shift = 2,
}

/** Words of what the sides share, from the entry's first. */
export const enum Shared {
  /** See End, Complete and StateBits; of a free entry: number and one of the entry that was given back before it. */
  state = 24,
  /** Number of its stream and one; 0: none yet; -1: it needs none any more. */
  stream = 25,
  /** Number and one of its entry of trouble; 0: it had none. */
  trouble = 26,
  /** Twice the place of its flow, and one more for IPv6; -1: the entry is free. */
  flow = 27,
  /** See Begun. */
  begun = 28,
  /** Index of its application and one; 0: not recognised. */
  application = 29,
  /** Connections that began, of those ports. */
  connections = 30,
  /** Segments of all kinds, both ways. */
  segments = 31,
  synTime = 36,
  synAckTime = 38,
  /** From the SYN to the first ACK; 0: not seen. Negative where the clock ran back. */
  handshake = 40,
  /** Of it, from the SYN to its answer; negative: not seen. */
  serverHalf = 42,
}

/** Who sent the SYN; 0: it was not captured. */
export const enum Begun {
  byA = 1,
  byB = 2,
  mask = 3,
  /** A SYN was captured, and no ACK after it. */
  isOpening = 4,
}

/** Words of an entry of trouble: what few connections need. Those of side b are `sideB` behind those of side a. */
export const enum Trouble {
  retransmissions = 0,
  fast = 1,
  spurious = 2,
  outOfOrder = 3,
  duplicateAcks = 4,
  zeroWindows = 5,
  resets = 6,
  /** Times that a segment before this one was not captured. */
  gaps = 7,
  keepAlives = 8,
  windowFull = 9,
  /** Segments that the other side says it got twice (RFC 2883). */
  duplicated = 10,
  /** Since when its window is 0; negative: it is not. */
  zeroSince = 12,
  /** How long it was, before. */
  zeroTime = 14,
  /** Of both sides; of a free entry: number and one of the entry that was given back before it. */
  lastReset = 32,
  /** Of ended connections of the same ports: what came of them. */
  refused = 34,
  unanswered = 35,
}

/** Words of an entry of trouble, and from side a's to side b's. */
export const enum TroubleLayout {
  words = 40,
  sideB = 16,
}

/** What came of a connection whose ports another one takes. */
export const enum Outcome {
  other = 0,
  refused = 1,
  unanswered = 2,
}

/** State of one end (Zeek, base/protocols/conn). Three bits of the state word; b's above a's. */
export const enum End {
  inactive = 0,
  synSent = 1,
  synAckSent = 2,
  /** Has sent, and was not seen to begin. */
  partial = 3,
  established = 4,
  closed = 5,
  reset = 6,
}

export const enum StateBits {
  end = 3,
  endMask = 7,
  completeness = 8,
  completenessMask = 0x3f,
}

/** Wireshark's tcp.completeness. */
export const enum Complete {
  syn = 1,
  synAck = 2,
  ack = 4,
  data = 8,
  fin = 16,
  rst = 32,
}

/** Memory for those who read packets: frames that lie in it are read without a copy. */
export const enum Room {
  count = 8,
  bytes = 262_144,
}

/** What no address space holds more of: entries have 24 bits in a slot, connections 20 in a flow. */
export const enum Bound {
  flows = 16_000_000,
  connections = 1_000_000,
}

/** Index of a packet's protocol in `Analyzer.protocols`: the IPv4 numbers, the IPv6 numbers, and what is not IP. */
export const enum ProtocolSlot {
  ipv4 = 0,
  ipv6 = 256,
  arp = 512,
  other = 513,
  count = 514,
}

/** The class of a packet in the throughput series; analyzer.ts has their names. */
export const enum SeriesClass {
  tcp = 0,
  udp = 1,
  icmp = 2,
  otherIp = 3,
  arp = 4,
  other = 5,
}

/** Ports of tunnels over UDP, which are told apart by what they carry (IANA service names). */
export const enum TunnelPort {
  vxlan = 4789,
  geneve = 6081,
}
