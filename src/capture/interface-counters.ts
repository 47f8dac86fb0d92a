/** What an interface itself has counted: the other half of the proof that nothing was missed. */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { type NetnsTarget, withNetns } from "./netns.js";

/** Frames and bytes, received and sent together, since the interface was made. */
export interface InterfaceCounters {
  readonly packets: number;
  readonly bytes: number;
}

/** Reads an interface's counters again and again, whatever rights are given up in between. */
export interface CounterReader {
  /** null: the interface is gone. */
  read(): InterfaceCounters | null;
  close(): void;
}

/** Bytes of the list of interfaces that are read: more than 5000 interfaces. */
const LIST_BYTES = 1024 * 1024;
const ETHERNET_HEADER = 14;
/** Columns of /proc/net/dev behind the name. */
const RX_BYTES = 0;
const RX_PACKETS = 1;
const TX_BYTES = 8;
const TX_PACKETS = 9;

/** Opens the counters of an interface in a namespace. The file goes on showing that namespace. */
export function openCounters(name: string, netns: NetnsTarget | null): CounterReader {
  const fd = withNetns(netns, () => openSync("/proc/thread-self/net/dev", "r"));
  const kind = kindOf(name, netns);
  const buffer = Buffer.alloc(LIST_BYTES);
  return {
    read() {
      let n = 0;
      for (let got = -1; got !== 0 && n < LIST_BYTES; n += got)
        got = readSync(fd, buffer, n, LIST_BYTES - n, n);
      return parseCounters(buffer.toString("latin1", 0, n), name, kind);
    },
    close: () => closeSync(fd),
  };
}

/** A bridge counts what it receives without the Ethernet header (br_input.c). Loopback receives all that it sends. */
export type CountingKind = "bridge" | "loopback" | "other";

/** /sys shows the interfaces of the namespace it was mounted in: elsewhere a bridge is not told from the others. */
function kindOf(name: string, netns: NetnsTarget | null): CountingKind {
  if (name === "lo") return "loopback";
  return netns === null && existsSync(`/sys/class/net/${name}/bridge`) ? "bridge" : "other";
}

/** Finds an interface in the text of /proc/net/dev. */
export function parseCounters(text: string, name: string, kind: CountingKind): InterfaceCounters | null {
  for (const line of text.split("\n")) {
    const colon = line.lastIndexOf(":");
    if (colon < 0 || line.slice(0, colon).trim() !== name) continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const received = fields[RX_PACKETS]!;
    if (kind === "loopback") return { packets: received, bytes: fields[RX_BYTES]! };
    const headers = kind === "bridge" ? received * ETHERNET_HEADER : 0;
    return {
      packets: received + fields[TX_PACKETS]!,
      bytes: fields[RX_BYTES]! + fields[TX_BYTES]! + headers,
    };
  }
  return null;
}
