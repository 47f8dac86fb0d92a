/** The interface's own counters: compared with a capture they show whether packets were missed. */
import type { NetnsTarget } from "../kernel/netns.js";
import type { Link } from "../kernel/rtnetlink.js";
import { openRoute } from "../opener/opener.js";

/** Frames and bytes, received and sent together, since the interface was made. */
export interface InterfaceCounters {
  readonly packets: number;
  readonly bytes: number;
}

/** Reads an interface's counters repeatedly, also after rights are given up. */
export interface CounterReader {
  /** null: the interface is gone. Throws SystemError. */
  read(): InterfaceCounters | null;
  close(): void;
}

const ETHERNET_HEADER = 14;

/** Opens the counters of an interface in a namespace. Throws NetnsError and SystemError. */
export function openCounters(name: string, netns: NetnsTarget | null): CounterReader {
  const socket = openRoute(netns);
  return {
    read() {
      const link = socket.links().find((of) => of.name === name);
      return link ? countersOf(link) : null;
    },
    close: () => socket.close(),
  };
}

/** The counters converted to what a capture sees: each frame once, with its Ethernet header. */
function countersOf({ name, kind, counters }: Link): InterfaceCounters {
  const { receivedPackets, receivedBytes, sentPackets, sentBytes } = counters;
  // Loopback receives everything it sends.
  if (name === "lo") return { packets: receivedPackets, bytes: receivedBytes };
  // A bridge counts what it receives without the Ethernet header (br_input.c), all others with it.
  const headers = kind === "bridge" ? receivedPackets * ETHERNET_HEADER : 0;
  return { packets: receivedPackets + sentPackets, bytes: receivedBytes + sentBytes + headers };
}
