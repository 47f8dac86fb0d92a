/** Definitions of the report's terms: its columns, figures and marks. */

export interface Definition {
  readonly term: string;
  readonly meaning: string;
}

export const DEFINITIONS: readonly Definition[] = [
  {
    term: "Address",
    meaning:
      "An IPv4 or IPv6 address of the outermost IP header; of the innermost where tunnels were entered (--decapsulate).",
  },
  {
    term: "Bytes",
    meaning:
      "Length on the wire, link header included, also where the capture holds only a part of a packet. 1 KiB is 1,024 B.",
  },
  {
    term: "Class",
    meaning:
      "Protocols as the throughput chart groups them: TCP, UDP, ICMP (v4 and v6), other IP, ARP, OTHER.",
  },
  { term: "Conn, RST", meaning: "TCP connections; those reset by either side." },
  {
    term: "Conversation",
    meaning:
      "All packets between two address and port pairs of one protocol, both directions. A later fragment has no ports and makes one of its own.",
  },
  {
    term: "Conversations",
    meaning:
      "Of a pair: those that its source began; where nothing was captured from the side that began, those that its source answered.",
  },
  { term: "Destination", meaning: "Of a pair: the receiver. Of a conversation: the side that was called." },
  { term: "Duration", meaning: "From the first to the last packet of a conversation, either direction." },
  { term: "external", meaning: "Every address that the names in use do not know." },
  { term: "Half open", meaning: "TCP connections that were asked for and never answered." },
  {
    term: "Mean",
    meaning: "Bytes divided by the time between the first and the last packet of the capture.",
  },
  {
    term: "Operation",
    meaning: "What is asked: method and route, command, kind of statement, type of query. Never a value.",
  },
  {
    term: "p50, p95, p99",
    meaning: "The time that so many of a hundred answers or handshakes were not slower than.",
  },
  { term: "Packets", meaning: "Frames as captured, whatever their kind." },
  {
    term: "Pair",
    meaning: "Two services, or addresses where there are no names; each direction is counted apart.",
  },
  { term: "Peak", meaning: "The highest mean of any one step of the throughput chart." },
  { term: "Port", meaning: "TCP, UDP or SCTP port, written after the name and a colon." },
  {
    term: "Protocol",
    meaning:
      "The IP protocol by its usual name or as IP-n, after IPv6 extension headers; ARP; OTHER for what is not IP, a damaged IP header included.",
  },
  {
    term: "Received",
    meaning: "Packets and bytes that an address receives; with Sent they add up to its Packets and Bytes.",
  },
  { term: "Refused", meaning: "TCP connections that were answered with a reset." },
  { term: "Replies", meaning: "What flows from the destination of a conversation to its source." },
  {
    term: "Retr, Of all",
    meaning:
      "Retransmissions: TCP segments whose bytes had been sent before, after a time-out, fast or needless; and the part of all segments that they are.",
  },
  { term: "Sent", meaning: "Packets and bytes that an address sends." },
  {
    term: "Service",
    meaning: "The name that the names file or the capture gives an address; the address where there is none.",
  },
  { term: "Share", meaning: "Bytes of the row divided by all bytes of the capture, non-IP included." },
  {
    term: "Source",
    meaning:
      "Of a pair: the sender. Of a conversation: the side that began it, told by the TCP handshake where it was captured, else guessed by the lower port being the server's.",
  },
  { term: "Start", meaning: "Time of the first packet of a conversation, in UTC." },
  { term: "Talker", meaning: "A service or address by what it sends." },
  {
    term: "Unanswered",
    meaning: "Requests whose answer was not captured; those whose answer fell into a gap are not counted.",
  },
  { term: "Transport", meaning: "The IP protocol of a conversation." },
  { term: "OoO, DupAck", meaning: "TCP segments out of order; acknowledgements repeated (duplicate ACKs)." },
  { term: "0win", meaning: "Times that a side of a TCP connection had no room for more (zero window)." },
  {
    // Drawn as `\u4e2d, \x1b`, as any other text is.
    term: "\u4e2d, \x1b",
    meaning:
      "A character that this report's type lacks, or that cannot be shown safely, by its Unicode number.",
  },
  { term: "…", meaning: "The middle of a text that was too long for its place." },
  { term: "and n more", meaning: "Rows that are not listed; their packets and bytes are summed beside it." },
];
