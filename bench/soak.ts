/** Memory of a long capture: does it stay flat while conversations come and go? */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonToSkip, withTestNetwork } from "../src/capture/kernel/netns.test.fixture.js";
import { createBridge } from "../src/capture/live/live.test.fixture.js";
import { cpuSeconds, generate, netwatch, residentMb } from "./live.js";

/** Packets a second, nine of ten the first of a new conversation. */
const RATE = 20_000;
/** Few enough to be full within seconds: from then on every new conversation pushes others out. */
const MAX_FLOWS = 50_000;
const LOOKS = 10;

/** Captures for so many seconds under a steady load and prints the memory in use on the way. Needs root and trafgen. */
export async function soakBench(print: (line: string) => void, seconds: number): Promise<void> {
  const reason = reasonToSkip("trafgen");
  if (reason) {
    print(`A long capture is not measured: ${reason}`);
    return;
  }
  await withTestNetwork(async (network) => {
    const lab = createBridge(network);
    const words = ["-o", "ndjson", "--max-flows", String(MAX_FLOWS), "-a", `duration:${seconds + 60}`];
    const child = netwatch(lab.bridge, "ring", words);
    child.stdout!.resume();
    let said = "";
    child.stderr!.on("data", (piece: Buffer) => {
      said += piece.toString();
    });
    const load = { packets: RATE * seconds, rate: `${RATE}pps`, payload: 60 };
    const sent = generate(lab.ends[0], load, "sp=drnd(1024, 65535), dp=drnd(1, 65535)");
    const seen: string[] = [];
    for (let look = 0; look <= LOOKS; look++) {
      if (look > 0) await sleep((seconds * 1000) / LOOKS);
      seen.push(`${Math.round((seconds * look) / LOOKS)} s ${Math.round(residentMb(child.pid!))} MB`);
    }
    await sent;
    const core = cpuSeconds(child.pid!) / seconds;
    child.kill("SIGINT");
    await once(child, "close");
    lab.close();
    print(`\nLive, ${RATE / 1000} k packets/s of new conversations for ${seconds} s, ${MAX_FLOWS} kept:`);
    print(`  memory beside the ring: ${seen.join(", ")}`);
    print(`  ${(core * 100).toFixed(1)} % of a core; ${said.trim().split("\n").at(-1)}`);
  });
}
