/** Compares reading the connection tracking table with other tools, in turn, in a namespace of its own. */
import { spawnSync } from "node:child_process";
import { buildConnectionsSnapshot } from "../src/analyze/connections.js";
import { ConntrackReader } from "../src/capture/conntrack/conntrack.js";
import { ConntrackPoller } from "../src/capture/conntrack/tracker.js";
import { withNetns } from "../src/capture/kernel/netns.js";
import { reasonToSkip, withTestNetwork } from "../src/capture/kernel/netns.test.fixture.js";

const COMPARED = 50_000;
const POLLED = 60_000;
const ROUNDS = 7;

/** Prints one line a measurement; says why where it cannot measure. */
export async function conntrackBench(print: (line: string) => void): Promise<void> {
  const reason = reasonToSkip("conntrack", "wc");
  if (reason !== false) return print(`conntrack: not measured: ${reason}`);
  await withTestNetwork(async (network) => {
    const netns = network.add();
    network.track(netns, COMPARED);
    compare(netns, print);
  });
  await withTestNetwork(async (network) => {
    const netns = network.add();
    network.track(netns, POLLED);
    await measurePoll(netns, print);
  });
}

function compare(netns: string, print: (line: string) => void): void {
  const reader = ConntrackReader.open(netns);
  const inside = (program: string, args: readonly string[]) => () => {
    const { stdout, status } = withNetns(netns, () => spawnSync(program, args, { encoding: "utf8" }));
    if (status !== 0 || Number.parseInt(stdout, 10) !== COMPARED)
      throw new Error(`${program}: ${status} ${stdout}`);
  };
  const read = () => {
    if (!reader.read() || reader.table.count !== COMPARED) throw new Error("not all entries");
  };
  const wc = inside("wc", ["-l", "/proc/net/nf_conntrack"]);
  const conntrack = inside("sh", ["-c", "conntrack -L 2>/dev/null | wc -l"]);
  read(); // warm: it is polled for as long as netwatch runs
  const times: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round++)
    for (const [i, run] of [read, wc, conntrack].entries()) times[i]!.push(milliseconds(run));
  reader.close();
  const [own, ofWc, ofConntrack] = times.map(median) as [number, number, number];
  const ms = (time: number) => `${time.toFixed(0)} ms`;
  print(
    `conntrack, ${COMPARED} entries: netwatch ${ms(own)}, wc -l /proc/net/nf_conntrack ${ms(ofWc)} (x${(own / ofWc).toFixed(2)}, at most 1.2), conntrack -L | wc -l ${ms(ofConntrack)} (x${(own / ofConntrack).toFixed(2)}, at most 0.5)`,
  );
}

async function measurePoll(netns: string, print: (line: string) => void): Promise<void> {
  const tracker = ConntrackPoller.open(netns);
  const polls: number[] = [];
  const tables: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    await tracker.poll(async () => {});
    polls.push(cpuSince(before));
    const between = process.cpuUsage();
    const { tables: built } = buildConnectionsSnapshot([tracker], {
      producer: "bench",
      timeUs: 0,
      names: null,
    });
    for (const table of Object.values(built)) table.rows[Symbol.iterator]().next(); // sorts it
    tables.push(cpuSince(between));
  }
  tracker.close();
  const [poll, build] = [median(polls), median(tables)];
  print(
    `conntrack, ${POLLED} entries polled each second: ${(poll / 10).toFixed(1)} % of a core to read (at most 25), ${((poll + build) / 10).toFixed(1)} % with the tables of \`connections\`, every client another`,
  );
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function milliseconds(run: () => void): number {
  const startedMs = performance.now();
  run();
  return performance.now() - startedMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!;
}
