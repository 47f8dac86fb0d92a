/**
 * The headers that nearly all packets have: Ethernet, one VLAN tag or none, IPv4 without options or IPv6 without extension headers, whole,
 * TCP or UDP. All others are TypeScript's: flow/headers.ts, which says what is read of a header and why.
 */
import { Mark, MarkShift, ProtocolSlot, Row, SeriesClass, TunnelPort } from "../layout";
import { load16, load32 } from "./big-endian";

const ETHERNET: i32 = 14;
const VLAN: i32 = 4;
const TYPE_IPV4: i32 = 0x0800;
const TYPE_IPV6: i32 = 0x86dd;
const TYPE_VLAN: i32 = 0x8100;
const IPV4: i32 = 20;
const IPV6: i32 = 40;
const TCP: i32 = 6;
const UDP: i32 = 17;
const TCP_HEADER: i32 = 20;
const UDP_HEADER: i32 = 8;
/** Longer packets are left to TypeScript, so that no sum here passes 32 bits. */
const MAX_LENGTH: f64 = 16_777_216;
/** Reads the headers of a row whose packet is an Ethernet frame in this memory. False: they are not common. */
export function readHeaders(row: usize): bool {
  const start = load<i32>(row, Row.offset);
  const caplen = load<i32>(row, Row.caplen);
  const length = load<f64>(row, Row.length);
  if (caplen < ETHERNET + VLAN + IPV4 || length > MAX_LENGTH || caplen > <i32>MAX_LENGTH) return false;
  const end = start + caplen;
  const sent = start + <i32>length;
  let ip = start + ETHERNET;
  let type = load16(<usize>start + 12);
  if (type === TYPE_VLAN) {
    type = load16(<usize>start + 16);
    ip += VLAN;
  }
  let marks: i32;
  let transport: i32;
  let whole: i32;
  let protocol: i32;
  if (type === TYPE_IPV4) {
    if (ip + IPV4 > end || load<u8>(<usize>ip) !== 0x45 || (load16(<usize>ip + 6) & 0x3fff) !== 0)
      return false;
    whole = load16(<usize>ip + 2);
    if (whole < IPV4) return false;
    whole += ip;
    protocol = load<u8>(<usize>ip + 9);
    transport = ip + IPV4;
    marks = Mark.flow | Mark.whole;
    store<i32>(row, ip + 12, Row.addresses);
    store<i32>(row, protocol, Row.slot);
  } else if (type === TYPE_IPV6) {
    if (ip + IPV6 > end || load<u8>(<usize>ip) >> 4 !== 6) return false;
    whole = load16(<usize>ip + 4);
    if (whole === 0) return false;
    whole += ip + IPV6;
    protocol = load<u8>(<usize>ip + 6);
    transport = ip + IPV6;
    marks = Mark.flow | Mark.whole | Mark.ipv6;
    store<i32>(row, ip + 8, Row.addresses);
    store<i32>(row, ProtocolSlot.ipv6 + protocol, Row.slot);
  } else return false;
  const stop = min(end, whole);
  const last = max(min(sent, whole), stop);
  let payload: i32;
  if (protocol === TCP) {
    if (transport + TCP_HEADER > stop) return false;
    payload = transport + ((<i32>(load<u8>(<usize>transport + 12) >> 4)) << 2);
    if (payload < transport + TCP_HEADER || payload > last) return false;
    marks |=
      Mark.segment |
      ((<i32>load<u8>(<usize>transport + 13)) << MarkShift.flags) |
      (SeriesClass.tcp << MarkShift.seriesClass);
  } else if (protocol === UDP) {
    if (transport + UDP_HEADER > stop) return false;
    const destination = load16(<usize>transport + 2);
    if (destination === TunnelPort.vxlan || destination === TunnelPort.geneve) return false;
    payload = transport + UDP_HEADER;
    if (payload < stop) marks |= Mark.datagram;
    marks |= SeriesClass.udp << MarkShift.seriesClass;
  } else return false;
  store<i32>(row, protocol, Row.meta);
  store<i32>(row, marks, Row.marks);
  store<i32>(row, load32(<usize>transport), Row.sentPorts);
  store<i32>(row, transport, Row.transport);
  store<i32>(row, payload, Row.payload);
  store<i32>(row, stop, Row.end);
  store<i32>(row, min(payload, stop), Row.headerEnd);
  store<i32>(row, last - payload, Row.payloadLength);
  return true;
}
