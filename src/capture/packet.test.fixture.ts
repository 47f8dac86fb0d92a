/** For tests: a frame as the packet that a source would give. */
import { createPacket, type Packet } from "./packet.js";

/** An Ethernet frame, captured whole. */
export function packetOf(frame: Uint8Array, timeUs = 0, nanos = 0): Packet {
  return {
    ...createPacket(),
    view: new DataView(frame.buffer, frame.byteOffset, frame.byteLength),
    caplen: frame.length,
    length: frame.length,
    timeUs,
    nanos,
    linkType: 1,
  };
}
