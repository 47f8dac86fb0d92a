/** Measures `netwatch analyze` and `report` against the tools one would use instead, one after the other on the same files. */
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FOLDER, fileHeader, installed, measure, netwatch, row, writeRecord } from "./measure.bench.js";

const PCAP_PARSER = `
  const parser = require("pcap-parser").parse(process.argv[1]);
  let packets = 0;
  parser.on("packet", () => packets++).on("end", () => process.stdout.write(packets + "\\n"));`;

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
  const path = installed(peer);
  return path === null ? null : [path, ...words[peer]!];
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

/** A record: a TCP segment of the conversation, or its reply, `us` microseconds after the start. */
function writePacket(
  into: Buffer,
  at: number,
  length: number,
  conversation: number,
  reply: boolean,
  us: number,
): void {
  const client = 0x0a00_0000 + (conversation % 50_000);
  const server = 0x0a01_0000 + (conversation % 251);
  const [clientPort, serverPort] = [
    32_768 + (Math.floor(conversation / 50_000) % 28_000),
    [80, 443, 5432, 6379, 8080][conversation % 5]!,
  ];
  const ends = reply
    ? { from: server, to: client, fromPort: serverPort, toPort: clientPort }
    : { from: client, to: server, fromPort: clientPort, toPort: serverPort };
  writeRecord(into, at, length, us, 0x10, ends);
}
