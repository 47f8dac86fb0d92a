/** For tests of live capture: a bridge with ends that send exactly the frames they are given, and nothing else. */

import { createRequire } from "node:module";
import { until } from "../../until.test.fixture.js";
import { ethernet, ipv4, join, u8, u16, udp } from "../file/sample.test.fixture.js";
import { Flag, libc } from "../kernel/libc.js";
import { withNetns } from "../kernel/netns.js";
import type { TestNetwork } from "../kernel/netns.test.fixture.js";
import type { Packet } from "../packet.js";
import type { LiveOptions, LiveSource } from "./live.js";

const AF_PACKET = 17;
const SOCK_RAW = 3;

/** Sends frames as they are from an interface of a namespace. */
export class FrameSender {
  readonly #fd: number;

  constructor(netns: string, name: string) {
    this.#fd = withNetns(netns, () => {
      const c = libc();
      const fd = c.socket(AF_PACKET, SOCK_RAW | Flag.closeOnExec, 0);
      const address = new Uint8Array(20);
      const view = new DataView(address.buffer);
      view.setUint16(0, AF_PACKET, true);
      view.setInt32(4, c.ifNameToIndex(name), true);
      c.bind(fd, address);
      return fd;
    });
  }

  send(frame: Uint8Array): void {
    libc().send(this.#fd, frame, 0);
  }

  close(): void {
    libc().close(this.#fd);
  }
}

/** A bridge `br0` with two ends, `a` and `b`, each in a namespace of its own. No IPv6, so no unrequested packets. */
export interface BridgeLab {
  readonly bridge: string;
  readonly a: FrameSender;
  readonly b: FrameSender;
  readonly ends: readonly [string, string];
  /**
   * Does `act` and waits until all that the ends send for it has passed the bridge: nothing is on its way then. What was sent before
   * must have passed, and what is sent must be for the bridge or for all, or the bridge be listened to.
   */
  passing(act: () => void | Promise<void>): Promise<void>;
  /** Frames that the bridge itself has received: all while it is listened to, else those for it or for all. */
  received(): number;
  close(): void;
}

export function createBridge(network: TestNetwork): BridgeLab {
  const bridge = network.add();
  network.set(bridge, "net.ipv6.conf.all.disable_ipv6", 1);
  network.set(bridge, "net.ipv6.conf.default.disable_ipv6", 1);
  network.ip(bridge, "link add br0 type bridge mcast_snooping 0");
  network.ip(bridge, "link set br0 up");
  const ends = [network.add(), network.add()] as const;
  ends.forEach((end, i) => {
    network.set(end, "net.ipv6.conf.default.disable_ipv6", 1);
    network.link(end, "eth0", `10.9.0.${i + 1}/24`, bridge, `port${i}`, "");
    network.ip(bridge, `link set port${i} master br0`);
  });
  const a = new FrameSender(ends[0], "eth0");
  const b = new FrameSender(ends[1], "eth0");
  const received = () => network.packets(bridge, "br0").received;
  /** Frames that have left an end and are not at the bridge, less those at the beginning; and whether a connection has more to say. */
  const look = () => {
    const arrived = received();
    const sent = ends.reduce((sum, end) => sum + network.packets(end, "eth0").sent, 0);
    return { sent, underWay: sent - arrived, isBusy: ends.some((end) => network.isBusy(end)) };
  };
  return {
    bridge,
    a,
    b,
    ends,
    received,
    async passing(act) {
      const { underWay } = look();
      await act();
      let last = look();
      await until(() => {
        const before = last;
        last = look();
        return !last.isBusy && last.underWay === underWay && last.sent === before.sent;
      });
    },
    close() {
      a.close();
      b.close();
    },
  };
}

/** A UDP frame to all, so that no bridge has to learn anything; `payload` bytes of `fill`. */
export function udpFrame(
  port: number,
  payload: number,
  fill = 0x61,
  tags: readonly number[] = [],
): Uint8Array {
  const packet = ipv4(udp(40_000, port, new Uint8Array(payload).fill(fill)), { protocol: 17 });
  setChecksum(packet);
  let body = packet;
  let type = 0x0800;
  for (const tag of tags.toReversed()) {
    body = join(u16(tag), u16(type), body);
    type = 0x8100;
  }
  const frame = ethernet(body, type);
  frame.set(u8(0xff, 0xff, 0xff, 0xff, 0xff, 0xff));
  return frame;
}

/** A bridge under br_netfilter throws IPv4 headers with a wrong checksum away (RFC 791 3.1). */
function setChecksum(packet: Uint8Array): void {
  const CHECKSUM = 10;
  const view = new DataView(packet.buffer, packet.byteOffset);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += i === CHECKSUM ? 0 : view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(CHECKSUM, ~sum & 0xffff);
}

/** What a test keeps of a packet. */
export interface KeptPacket {
  readonly bytes: Uint8Array;
  readonly length: number;
  readonly timeUs: number;
}

export function keepPacket(packet: Packet): KeptPacket {
  const { view, offset, caplen, length, timeUs } = packet;
  return {
    bytes: new Uint8Array(view.buffer, view.byteOffset + offset, caplen).slice(),
    length,
    timeUs,
  };
}

/** Everything a source gives until it ends. */
export async function drain(source: LiveSource): Promise<KeptPacket[]> {
  const kept: KeptPacket[] = [];
  do while (source.next()) kept.push(keepPacket(source.packet));
  while (await source.fill());
  return kept;
}

/** Options of a live source on `br0`. */
export function liveOptions(netns: string, rest: Partial<LiveOptions> = {}): LiveOptions {
  return {
    interface: "br0",
    netns,
    snaplen: 262_144,
    bufferBytes: 8 * 1024 * 1024,
    filter: "",
    waits: false,
    ...rest,
  };
}

/** Why engine cap cannot be tested, or false. */
export function capIsMissing(): string | false {
  try {
    createRequire(import.meta.url)("cap");
    return false;
  } catch {
    return "needs the optional package cap";
  }
}
