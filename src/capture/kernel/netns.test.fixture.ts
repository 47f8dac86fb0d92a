/** Network namespaces for tests and benchmarks: made under names of their own, always removed at the end. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { withNetns } from "./netns.js";

/** Why namespaces cannot be made here, or false. */
export function reasonToSkip(...programs: readonly string[]): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "needs root on Linux: it makes network namespaces";
  const folders = (process.env.PATH ?? "").split(delimiter);
  const missing = ["ip", ...programs].filter(
    (name) => !folders.some((folder) => existsSync(join(folder, name))),
  );
  return missing.length > 0 && `needs the program ${missing.join(", ")}`;
}

/** The words of each line of /proc/net/NAME in a namespace, the headings left out (proc(5)). */
function readNet(netns: string, name: "dev" | "tcp"): string[][] {
  const text = withNetns(netns, () => readFileSync(`/proc/thread-self/net/${name}`, "utf8"));
  const lines = text.trim().split("\n");
  return lines.slice(name === "dev" ? 2 : 1).map((line) => line.trim().split(/\s+/));
}

const NAMED = "/run/netns/";
let made = 0;

/** Removes the namespaces of processes that are gone without having done so: a later one may have the number of theirs. */
function removeLeft(): void {
  for (const name of existsSync(NAMED) ? readdirSync(NAMED) : []) {
    const pid = /^nw(\d+)n\d+$/.exec(name)?.[1];
    const isLeft = pid !== undefined && (Number(pid) === process.pid || !existsSync(`/proc/${pid}`));
    // Another test may do the same at this moment.
    if (isLeft) spawnSync("ip", ["netns", "del", name]);
  }
}

/** Ends the script, whatever keeps it, once who started it is gone. */
const WITH_PARENT = `{
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(), 1000).unref();
}
`;

/** The namespaces of one test. */
export class TestNetwork {
  readonly #names: string[] = [];
  readonly #children: ChildProcess[] = [];

  /** Makes a namespace with its loopback up and says its name. */
  add(): string {
    if (made === 0) removeLeft();
    const name = `nw${process.pid}n${made++}`;
    execFileSync("ip", ["netns", "add", name]);
    this.#names.push(name);
    this.ip(name, "link set lo up");
    return name;
  }

  /** `ip` inside a namespace, its words split at spaces. */
  ip(netns: string, words: string): void {
    execFileSync("ip", ["-n", netns, ...words.split(" ")], { stdio: ["ignore", "ignore", "inherit"] });
  }

  /** Runs a program inside and returns what it prints. */
  run(netns: string, program: string, args: readonly string[], input = ""): string {
    return execFileSync("ip", ["netns", "exec", netns, program, ...args], {
      encoding: "utf8",
      input,
      stdio: ["pipe", "pipe", "ignore"],
      maxBuffer: 256 * 1024 * 1024,
    });
  }

  /** Runs JavaScript inside until it ends. */
  script(netns: string, code: string): string {
    return this.run(netns, process.execPath, ["-e", code]);
  }

  /** Starts JavaScript inside; ready when it prints its first line. It ends with the network. */
  async start(netns: string, code: string): Promise<ChildProcess> {
    const child = spawn("ip", ["netns", "exec", netns, process.execPath, "-e", WITH_PARENT + code], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#children.push(child);
    await once(child.stdout!, "data");
    return child;
  }

  /** Whether a TCP connection in it, over IPv4, opens, closes or waits for an acknowledgement (proc(5), net/tcp). */
  isBusy(netns: string): boolean {
    const SETTLED = ["01", "06", "0A"]; // established, time-wait, listening
    return readNet(netns, "tcp").some(([, , , state, queues]) => {
      return !SETTLED.includes(state!) || (state !== "0A" && !queues!.startsWith("00000000:"));
    });
  }

  /** Packets that an interface in it has received and sent so far. */
  packets(netns: string, name: string): { received: number; sent: number } {
    const [, ...counts] = readNet(netns, "dev").find(([first]) => first === `${name}:`)!;
    return { received: Number(counts[1]), sent: Number(counts[9]) };
  }

  /** Puts made-up entries into the namespace's connection tracking. */
  track(netns: string, entries: number): void {
    const folder = mkdtempSync(join(tmpdir(), "netwatch-test-"));
    const file = join(folder, "entries");
    try {
      writeFileSync(file, [...conntrackLines(entries)].join(""));
      this.run(netns, "conntrack", ["-R", file]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  nft(netns: string, rules: string): void {
    this.run(netns, "nft", ["-f", "-"], rules);
  }

  /** Sets a sysctl inside: `net.ipv4.ip_forward`. */
  set(netns: string, name: string, value: number): void {
    this.run(netns, "sysctl", ["-qw", `${name}=${value}`]);
  }

  /** A pair of veths, each with its addresses (`10.1.0.2/24 fd01::2/64`), both up. */
  link(a: string, nameA: string, addressesA: string, b: string, nameB: string, addressesB: string): void {
    this.ip(a, `link add ${nameA} type veth peer name ${nameB} netns ${b}`);
    for (const [netns, name, addresses] of [
      [a, nameA, addressesA],
      [b, nameB, addressesB],
    ] as const) {
      for (const address of addresses.split(" ").filter((text) => text !== ""))
        this.ip(netns, `addr add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`);
      this.ip(netns, `link set ${name} up`);
    }
  }

  /** Ends what was started and removes the namespaces, and with them all links, rules and settings in them. */
  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.stdin?.end();
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    for (const name of this.#names) execFileSync("ip", ["netns", "del", name]);
  }

  /** The same synchronously, as far as possible: the process is about to end. */
  abandon(): void {
    for (const child of this.#children) child.kill("SIGKILL");
    for (const name of this.#names) spawnSync("ip", ["netns", "del", name]);
  }
}

/** Runs `body` with a network and removes it afterwards, also if a signal ends the process. */
export async function withTestNetwork(body: (network: TestNetwork) => Promise<void>): Promise<void> {
  const network = new TestNetwork();
  const atExit = () => network.abandon();
  const atSignal = () => process.exit(143);
  process.once("exit", atExit);
  process.once("SIGTERM", atSignal);
  try {
    await body(network);
  } finally {
    await network.close();
    process.off("exit", atExit);
    process.off("SIGTERM", atSignal);
  }
}

/** Entries as `conntrack -L -o save` prints them: TCP, every third UDP, every eighth IPv6. */
function* conntrackLines(entries: number): Iterable<string> {
  for (let i = 0; i < entries; i++) {
    const ipv6 = i % 8 === 7;
    const source = ipv6
      ? `fd00:1::${(i & 0xffff).toString(16)}`
      : `10.${(i >> 14) & 0xff}.${(i >> 7) & 0x7f}.${1 + (i & 0x7f)}`;
    const destination = ipv6 ? "fd00:2::1" : "10.250.0.1";
    const [protocol, port, state] = i % 3 === 0 ? ["udp", 53, ""] : ["tcp", 80, " --state ESTABLISHED"];
    const ephemeral = 1024 + (i % 60_000);
    const tuples = `-s ${source} -d ${destination} -r ${destination} -q ${source} -p ${protocol}`;
    const ports = `--sport ${ephemeral} --dport ${port} --reply-port-src ${port} --reply-port-dst ${ephemeral}`;
    yield `-A -t ${600 + (i % 1000)} -u SEEN_REPLY,ASSURED ${tuples} ${ports}${state}\n`;
  }
}
