/** Measures `netwatch analyze` and `report` against the tools one would use instead, on the same files. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Contestant, compare, netwatch, type Print, peer, withFolder } from "./measure.js";
import { PROTOCOLS } from "./payloads.js";
import { type FlowShape, writeFlood, writeFlows, writeReal, writeTalks } from "./traffic.js";

const SMALL: FlowShape = { packets: 5_000_000, conversations: 20_000, payload: 8, closes: true };
const LARGE: FlowShape = { packets: 1_300_000, conversations: 20_000, payload: 350, closes: true };
const PCAP_PARSER = `
  const parser = require("pcap-parser").parse(process.argv[1]);
  let packets = 0;
  parser.on("packet", () => packets++).on("end", () => process.stdout.write(packets + "\\n"));`;

/** Small packets, every slot and every connection another at each. */
export async function smallBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeFlows(path, SMALL),
    async (path, folder) => {
      const walk = [process.execPath, "-e", PCAP_PARSER, path];
      const contestants = [
        ...analyses(path),
        counter(path),
        flows(path, folder),
        peer("tcpdump", ["-r", path, "-w", "/dev/null"], "tcpdump -w /dev/null"),
        peer("capinfos", ["-c", path], "capinfos -c"),
        peer("argus", ["-r", path, "-w", "/dev/null"]),
        { name: "pcap-parser", command: walk },
      ];
      await compare("5.0 M small packets, 20,000 flows", contestants, print);
    },
  );
}

export async function fewBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeFlows(path, { ...SMALL, conversations: 200 }),
    (path, folder) =>
      compare(
        "5.0 M small packets, 200 flows",
        [...analyses(path), counter(path), flows(path, folder)],
        print,
      ),
  );
}

/** tshark is so slow that it has a smaller file. */
export async function pairsBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeFlows(path, { ...SMALL, packets: 1_000_000 }),
    (path) =>
      compare(
        "1.0 M small packets, 20,000 flows",
        [analysis(path), peer("tshark", ["-n", "-q", "-z", "conv,ip", "-r", path], "tshark -q -z conv,ip")],
        print,
      ),
  );
}

export async function largeBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeFlows(path, LARGE),
    async (path, folder) => {
      await compare(
        "1.3 M packets of 400 bytes, 20,000 flows",
        [...analyses(path), counter(path), flows(path, folder)],
        print,
      );
      const pdf = netwatch("report", join(folder, "out.pdf"), "-r", path);
      const json = netwatch("analyze", path, "-o", "json");
      await compare("the same as a PDF", [json, pdf], print);
    },
  );
}

/** What connections carry: each protocol beside tshark's own tables of it, then all in one file. */
export async function payloadBench(print: Print): Promise<void> {
  for (const protocol of PROTOCOLS) {
    await onFile(
      (path) => writeTalks(path, [protocol], 200, 20_000),
      (path) =>
        compare(
          `20,000 requests of ${protocol.title}`,
          [
            netwatch("analyze", path, "--table", protocol.table),
            peer("tshark", ["-n", "-q", ...protocol.tshark, "-r", path], "tshark"),
          ],
          print,
        ),
    );
  }
  await onFile(
    (path) => writeTalks(path, PROTOCOLS, 500, 300_000),
    (path, folder) =>
      compare(
        "300,000 requests of all protocols",
        [...analyses(path), counter(path), flows(path, folder)],
        print,
      ),
  );
}

export async function realBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeReal(path, 2_000_000),
    (path, folder) =>
      compare(
        "2.0 M packets with the shape of a campus' link",
        [...analyses(path), counter(path), flows(path, folder)],
        print,
      ),
  );
}

export async function floodBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeFlood(path, 1_000_000),
    (path, folder) =>
      compare(
        "A flood from 1.0 M addresses, one heavy talker, 3.0 M packets",
        [
          ...analyses(path),
          netwatch("analyze", path, "-o", "csv", "--table", "pairs"),
          counter(path),
          flows(path, folder),
        ],
        print,
      ),
  );
}

/** As many packets of many connections and of few: what room for connections costs. */
export async function connectionsBench(print: Print): Promise<void> {
  const shape = { packets: 4_000_000, payload: 8, closes: false };
  await onFile(
    (few) => writeFlows(few, { ...shape, conversations: 20_000 }),
    (few) =>
      onFile(
        (many) => writeFlows(many, { ...shape, conversations: 1_000_000 }),
        (many) =>
          compare(
            "4.0 M small packets, 20,000 flows beside 1.0 M, of both four of five TCP",
            [
              { ...analysis(few), name: "20,000 flows" },
              { ...analysis(many), name: "1.0 M flows" },
            ],
            print,
          ),
      ),
  );
}

export async function memoryBench(print: Print): Promise<void> {
  await onFile(
    (tenth) => writeFlows(tenth, { ...LARGE, packets: 240_000 }),
    (tenth) =>
      onFile(
        (whole) => writeFlows(whole, { ...LARGE, packets: 2_400_000 }),
        (whole) =>
          compare(
            "A file of 100 MB beside one of 1 GB",
            [
              { ...netwatch("analyze", tenth, "-o", "json"), name: "100 MB" },
              { ...netwatch("analyze", whole, "-o", "json"), name: "1 GB" },
            ],
            print,
          ),
      ),
  );
}

/** Tables of 100,000 rows as text for programs. */
export async function rowsBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeFlows(path, { packets: 600_000, conversations: 100_000, payload: 8, closes: false }),
    (path) =>
      compare(
        "100,000 conversations, every table whole",
        [
          analysis(path),
          netwatch("analyze", path, "-o", "json"),
          netwatch("analyze", path, "-o", "csv", "--table", "conversations"),
        ],
        print,
      ),
  );
}

export async function startBench(print: Print): Promise<void> {
  await onFile(
    (path) => writeFlows(path, { packets: 1, conversations: 1, payload: 8, closes: false }),
    (path) =>
      compare(
        "Start, a file of one packet",
        [
          { name: "node -e 0", command: [process.execPath, "-e", "0"] },
          netwatch("--version"),
          netwatch("analyze", path),
        ],
        print,
        15,
      ),
  );
}

/** Writes a capture, gives its path, and removes it. */
async function onFile(
  write: (path: string) => void,
  work: (path: string, folder: string) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    const path = join(folder, "capture.pcap");
    write(path);
    await work(path, folder);
    rmSync(path);
  });
}

/** One table: what counting costs, without the text of the others. */
function analysis(path: string): Contestant {
  return netwatch("analyze", path, "--table", "protocols");
}

function analyses(path: string): readonly Contestant[] {
  return [analysis(path), netwatch("analyze", path, "-o", "json")];
}

/** Counts packets and bytes, no flows. */
function counter(path: string): Contestant {
  return peer("tcpstat", ["-r", path]);
}

function flows(path: string, folder: string): Contestant {
  const out = join(folder, "nfcapd");
  mkdirSync(out, { recursive: true });
  return peer("nfpcapd", ["-r", path, "-w", out]);
}
