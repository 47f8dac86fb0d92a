/** Links by /sys/class/net and addresses by Node itself: the fallback without access to the C library. Only this namespace. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { basename, join } from "node:path";
import { parseAddress } from "../../net.js";
import type { Link, LinkAddress } from "../kernel/rtnetlink.js";

const FOLDER = "/sys/class/net";
const IFF_UP = 1;
const IFF_PROMISC = 0x100;

/** Links by index. Names hold no `/`, so none leads out of the folder. */
export function readSysfsLinks(folder: string = FOLDER): Link[] {
  const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, "ifindex")));
  return names.map((name) => readLink(join(folder, name), name)).sort((a, b) => a.index - b.index);
}

function readLink(path: string, name: string): Link {
  const number = (file: string) => Number(textOf(join(path, file)).trim()) || 0;
  const flags = number("flags");
  const index = number("ifindex");
  const peer = number("iflink");
  const isBridgePort = existsSync(join(path, "brport"));
  const type = /^DEVTYPE=(\S+)$/m.exec(textOf(join(path, "uevent")))?.[1] ?? "";
  return {
    index,
    name,
    kind: existsSync(join(path, "bridge")) ? "bridge" : type,
    up: (flags & IFF_UP) !== 0,
    carrier: number("carrier") === 1,
    promiscuous: (flags & IFF_PROMISC) !== 0,
    mtu: number("mtu"),
    master: masterOf(path),
    isBridgePort,
    peer: peer === 0 || peer === index ? null : peer,
    peerNamespace: null,
    counters: {
      receivedPackets: number("statistics/rx_packets"),
      receivedBytes: number("statistics/rx_bytes"),
      receivedDropped: number("statistics/rx_dropped"),
      sentPackets: number("statistics/tx_packets"),
      sentBytes: number("statistics/tx_bytes"),
      sentDropped: number("statistics/tx_dropped"),
    },
  };
}

function masterOf(path: string): number | null {
  try {
    const master = basename(readlinkSync(join(path, "master")));
    return Number(textOf(join(path, "..", master, "ifindex")).trim()) || null;
  } catch {
    return null;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // deleted since, or (carrier) unreadable while the link is down
  }
}

/** Addresses of the links that are up: Node reports no others. */
export function readNodeAddresses(links: readonly Link[]): LinkAddress[] {
  const byName = new Map(Object.entries(networkInterfaces()));
  return links.flatMap(({ index, name }) =>
    (byName.get(name) ?? []).flatMap(({ address: text, cidr }) => {
      const address = parseAddress(text);
      const prefix = Number(cidr?.split("/")[1] ?? 0);
      return address ? [{ link: index, address, text, prefix, setAtCs: null }] : [];
    }),
  );
}
