/** Community ID: one id for both directions of a conversation, equal in Zeek, Suricata and Wireshark. */
import { hash } from "node:crypto";
import type { Flow } from "./flows.js";

/** What is hashed: seed, addresses, protocol, a zero, ports. At most 40 bytes. */
const hashed = new Uint8Array(40);
const view = new DataView(hashed.buffer);

/**
 * Version 1 (github.com/corelight/community-id-spec), seed 0. null for ICMP, whose id depends on types that a conversation here may hold several of.
 */
export function communityId(flow: Flow): string | null {
  const words = flow.version === 4 ? 1 : 4;
  if (flow.protocol === 1 || flow.protocol === 58) return null;
  const order = compareEnds(flow, words);
  const low = order <= 0 ? flow.source : flow.destination;
  const high = order <= 0 ? flow.destination : flow.source;
  let at = 2; // the seed, 0, stays in front
  for (let i = 0; i < words; i++) {
    view.setInt32(at + 4 * i, low[i]!);
    view.setInt32(at + 4 * (words + i), high[i]!);
  }
  at += 8 * words;
  view.setUint16(at, flow.protocol << 8);
  at += 2;
  if (flow.sourcePort !== null && flow.destinationPort !== null) {
    view.setUint16(at, order <= 0 ? flow.sourcePort : flow.destinationPort);
    view.setUint16(at + 2, order <= 0 ? flow.destinationPort : flow.sourcePort);
    at += 4;
  }
  return `1:${hash("sha1", hashed.subarray(0, at), "base64")}`;
}

function compareEnds(flow: Flow, words: number): number {
  for (let i = 0; i < words; i++) {
    const difference = (flow.source[i]! >>> 0) - (flow.destination[i]! >>> 0);
    if (difference !== 0) return difference;
  }
  return (flow.sourcePort ?? 0) - (flow.destinationPort ?? 0);
}
