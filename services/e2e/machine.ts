import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tryCommand } from "../command.js";
import { STATE_DIR } from "../state.js";

/** Everything a lab could leave behind. */
export interface Machine {
  links: string[];
  addresses: string;
  routes: string;
  namespaces: string;
  rules: string;
  sysctls: Record<string, string>;
  /** Network namespaces that a process of a lab lives in. */
  livedIn: string[];
  listening: string[];
}

/** Namespaces of other tests, which run meanwhile. */
const OF_OTHERS = /^nw(?:t|docker)?\d/;

// counts of what passes by, and what the kernel fills in at random
const VOLATILE =
  /nf_conntrack_count|\/stat\/|random|tcp_fastopen_key|stable_secret|\/(conf|neigh)\/(?!all|default)/;

export async function machineNow(): Promise<Machine> {
  const text = async (file: string, ...args: string[]) => (await tryCommand(file, args)).stdout;
  const links = JSON.parse(await text("ip", "-j", "link", "show")) as { ifname: string }[];
  return {
    links: links.map((link) => link.ifname).sort(),
    addresses: await text("ip", "-br", "address", "show"),
    // a route learnt from a router counts down
    routes: (await text("ip", "route", "show", "table", "all")).replaceAll(/expires \d+sec/g, ""),
    namespaces: (await text("ip", "netns", "list"))
      .split("\n")
      .filter((line) => !OF_OTHERS.test(line))
      .join("\n"),
    rules: await text("nft", "-s", "list", "ruleset"),
    sysctls: sysctls("/proc/sys/net"),
    livedIn: [...new Set(numericEntries("/proc").flatMap(netnsOf))].sort(),
    listening: labSockets(),
  };
}

function sysctls(directory: string, found: Record<string, string> = {}): Record<string, string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (VOLATILE.test(path)) continue;
    if (entry.isDirectory()) sysctls(path, found);
    else
      try {
        found[path] = readFileSync(path, "utf8");
      } catch {
        // write-only
      }
  }
  return found;
}

function numericEntries(directory: string): string[] {
  return readdirSync(directory).filter((name) => /^\d+$/.test(name));
}

/** Where a process lives, if its output goes to a lab's log. */
function netnsOf(pid: string): string[] {
  try {
    const isOfLab = readlinkSync(`/proc/${pid}/fd/1`).startsWith(STATE_DIR);
    return isOfLab ? [readlinkSync(`/proc/${pid}/ns/net`)] : [];
  } catch {
    return [];
  }
}

/** Socket files and abstract names of the lab's own (proc(5), net/unix). */
function labSockets(): string[] {
  return readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .filter((line) => line.includes("netwatch-lab"));
}
