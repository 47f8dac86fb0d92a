/** Measures `netwatch analyze` and `report` against the tools one would use instead, one after the other on the same files. */
import { spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const FOLDER = join(tmpdir(), "netwatch-bench");
const CLI = fileURLToPath(new URL("../cli.js", import.meta.url));
const PCAP_PARSER = `
  const parser = require("pcap-parser").parse(process.argv[1]);
  let packets = 0;
  parser.on("packet", () => packets++).on("end", () => process.stdout.write(packets + "\\n"));`;
const ROUNDS = 3;
/** Slower than this is measured once. */
const SLOW_SECONDS = 10;

/** A file to measure on: frames of about `size` bytes, spread over `conversations` TCP conversations, the first the busiest. */
interface Input {
  readonly name: string;
  readonly packets: number;
  readonly size: number;
  readonly conversations: number;
}

const INPUTS = {
  small: { name: "5.0 M packets of 52 bytes", packets: 5_000_000, size: 52, conversations: 20_000 },
  large: { name: "1.3 M packets of 400 bytes", packets: 1_300_000, size: 400, conversations: 20_000 },
  many: { name: "1 M conversations", packets: 2_000_000, size: 60, conversations: 1_000_000 },
  tenth: { name: "100 MB", packets: 240_000, size: 400, conversations: 20_000 },
  whole: { name: "1 GB", packets: 2_400_000, size: 400, conversations: 20_000 },
} as const satisfies Record<string, Input>;

/** One command measured: seconds from start to end, and the most memory it held. */
interface Measure {
  readonly seconds: number;
  readonly peakMb: number;
}

/** Prints the tables of ratios. Makes its inputs in the temporary folder and removes them. */
export async function analyzeBench(print: (line: string) => void): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  try {
    await compareReaders(
      INPUTS.small,
      ["tcpstat", "tcpdump", "capinfos", "argus", "nfpcapd", "pcap-parser", "tshark"],
      print,
    );
    await compareReaders(INPUTS.large, ["tcpstat", "tcpdump"], print);
    await measureMemory(print);
    await measureStartAndReport(print);
  } finally {
    rmSync(FOLDER, { recursive: true, force: true });
  }
}

async function compareReaders(
  input: Input,
  peers: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  const file = makeCapture(input);
  print(`\n${input.name} (${input.conversations} conversations), netwatch analyze -o json = 1`);
  const own = await measure(netwatch("analyze", file, "-o", "json"));
  print(row("netwatch", own, own));
  for (const peer of peers) {
    const command = peerCommand(peer, file);
    print(command === null ? `  ${peer.padEnd(14)} not installed` : row(peer, await measure(command), own));
  }
  rmSync(file);
}

async function measureMemory(print: (line: string) => void): Promise<void> {
  print("\nMemory of netwatch analyze -o json");
  for (const input of [INPUTS.many, INPUTS.tenth, INPUTS.whole]) {
    const file = makeCapture(input);
    const own = await measure(netwatch("analyze", file, "-o", "json"));
    print(
      `  ${input.name.padEnd(30)} ${own.peakMb.toFixed(0).padStart(5)} MB at most, ${own.seconds.toFixed(2)} s`,
    );
    rmSync(file);
  }
}

async function measureStartAndReport(print: (line: string) => void): Promise<void> {
  const node = await measure([process.execPath, "-e", "0"]);
  print("\nStart, node -e 0 = 1");
  print(row("--version", await measure(netwatch("--version")), node));
  const file = makeCapture(INPUTS.large);
  const report = await measure(netwatch("report", join(FOLDER, "out.pdf"), "-r", file));
  print(`\n${INPUTS.large.name} to PDF: ${report.seconds.toFixed(2)} s, ${report.peakMb.toFixed(0)} MB`);
}

function netwatch(...words: readonly string[]): readonly string[] {
  return [process.execPath, CLI, ...words];
}

/** The peer's command for doing the most like analyze on a file; null where it is not installed. */
function peerCommand(peer: string, file: string): readonly string[] | null {
  if (peer === "pcap-parser") return [process.execPath, "-e", PCAP_PARSER, file];
  const flows = join(FOLDER, "nfcapd");
  mkdirSync(flows, { recursive: true });
  const words: Readonly<Record<string, readonly string[]>> = {
    tcpstat: ["-r", file],
    tcpdump: ["-r", file, "-w", "/dev/null"],
    capinfos: ["-c", file],
    argus: ["-r", file, "-w", "/dev/null"],
    nfpcapd: ["-r", file, "-w", flows],
    tshark: ["-n", "-q", "-z", "conv,ip", "-r", file],
  };
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .concat("/usr/sbin")
    .map((folder) => join(folder, peer))
    .find(existsSync);
  return path === undefined ? null : [path, ...words[peer]!];
}

function row(name: string, { seconds, peakMb }: Measure, to: Measure): string {
  return `  ${name.padEnd(14)} ${seconds.toFixed(2).padStart(7)} s  ratio ${(seconds / to.seconds).toFixed(2).padStart(7)}  ${peakMb.toFixed(0).padStart(5)} MB`;
}

/** The median of a few runs; one run where that is slow. */
async function measure(command: readonly string[]): Promise<Measure> {
  const runs: Measure[] = [];
  while (runs.length < ROUNDS && (runs[0]?.seconds ?? 0) < SLOW_SECONDS) runs.push(await runOnce(command));
  runs.sort((x, y) => x.seconds - y.seconds);
  return { seconds: runs[runs.length >> 1]!.seconds, peakMb: Math.max(...runs.map((run) => run.peakMb)) };
}

function runOnce([program, ...words]: readonly string[]): Promise<Measure> {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint();
    const env = { ...process.env, XDG_STATE_HOME: FOLDER };
    const child = spawn(program!, words, { stdio: ["ignore", "pipe", "ignore"], env });
    child.stdout.resume();
    let peakMb = 0;
    const timer = setInterval(() => {
      peakMb = Math.max(peakMb, peakOf(child.pid));
    }, 20);
    child.on("error", reject);
    child.on("close", () => {
      clearInterval(timer);
      resolve({ seconds: Number(process.hrtime.bigint() - start) / 1e9, peakMb });
    });
  });
}

/** The most memory a running process has held, by proc(5); 0 once it is gone. */
function peakOf(pid: number | undefined): number {
  try {
    const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return match ? Number(match[1]) / 1000 : 0;
  } catch {
    return 0;
  }
}

const ETHERNET_IP_TCP = 54;

/** Writes a classic capture. The same input always gives the same bytes. */
function makeCapture({ packets, size, conversations, name }: Input): string {
  const path = join(FOLDER, `${name.replaceAll(/[^\w.]+/g, "-")}.pcap`);
  const fd = openSync(path, "w", 0o600);
  const record = 16 + Math.max(size, ETHERNET_IP_TCP);
  const chunk = Buffer.alloc(record * 4096);
  let random = 12_345;
  try {
    writeSync(fd, fileHeader());
    for (let done = 0; done < packets; ) {
      const n = Math.min(4096, packets - done);
      for (let i = 0; i < n; i++) {
        random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
        // Two draws multiplied: low numbers, the busy conversations, come up more often.
        const busy = Math.floor((((random >>> 16) * (random & 0xffff)) / 2 ** 32) * conversations);
        const conversation = done + i < conversations ? done + i : busy;
        writePacket(chunk, i * record, record - 16, conversation, (random & 1) === 1, (done + i) * 7);
      }
      writeSync(fd, chunk, 0, n * record);
      done += n;
    }
  } finally {
    closeSync(fd);
  }
  if (statSync(path).size === 0) throw new Error("no input could be made");
  return path;
}

function fileHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  return header;
}

/** A record: a TCP segment of the conversation, or its reply, `us` microseconds after the start. */
function writePacket(
  into: Buffer,
  at: number,
  length: number,
  conversation: number,
  reply: boolean,
  us: number,
): void {
  into.writeUInt32LE(1_700_000_000 + Math.floor(us / 1e6), at);
  into.writeUInt32LE(us % 1_000_000, at + 4);
  into.writeUInt32LE(length, at + 8);
  into.writeUInt32LE(length, at + 12);
  const ip = at + 16 + 14;
  into.writeUInt16BE(0x0800, ip - 2);
  into.writeUInt8(0x45, ip);
  into.writeUInt16BE(length - 14, ip + 2);
  into.writeUInt8(64, ip + 8);
  into.writeUInt8(6, ip + 9);
  const client = 0x0a00_0000 + (conversation % 50_000);
  const server = 0x0a01_0000 + (conversation % 251);
  const [clientPort, serverPort] = [
    32_768 + (Math.floor(conversation / 50_000) % 28_000),
    [80, 443, 5432, 6379, 8080][conversation % 5]!,
  ];
  into.writeUInt32BE(reply ? server : client, ip + 12);
  into.writeUInt32BE(reply ? client : server, ip + 16);
  into.writeUInt16BE(reply ? serverPort : clientPort, ip + 20);
  into.writeUInt16BE(reply ? clientPort : serverPort, ip + 22);
  into.writeUInt8(0x50, ip + 32);
  into.writeUInt8(0x10, ip + 33);
}
