/**
 * Runs benchmarks, and prints tables of Markdown.
 *   npm run bench                 all of them, some ten minutes
 *   npm run bench -- small real   those
 *   npm run bench -- --soak=600   instead a capture of so many seconds, and an hour of the monitor
 */
import { conntrackBench } from "./conntrack.js";
import {
  connectionsBench,
  fewBench,
  floodBench,
  largeBench,
  memoryBench,
  pairsBench,
  payloadBench,
  realBench,
  rowsBench,
  smallBench,
  startBench,
} from "./files.js";
import { liveBench } from "./live.js";
import type { Print } from "./measure.js";
import { monitorBench, monitorHourBench } from "./monitor.js";
import { scrapeBench } from "./scrape.js";
import { soakBench } from "./soak.js";

const BENCHES: Readonly<Record<string, (print: Print) => Promise<void>>> = {
  small: smallBench,
  few: fewBench,
  pairs: pairsBench,
  large: largeBench,
  payload: payloadBench,
  real: realBench,
  flood: floodBench,
  connections: connectionsBench,
  memory: memoryBench,
  rows: rowsBench,
  start: startBench,
  live: liveBench,
  conntrack: conntrackBench,
  monitor: monitorBench,
  scrape: scrapeBench,
};

const print = (line: string) => void process.stdout.write(`${line}\n`);
const words = process.argv.slice(2);
const soak = /^--soak=(\d{1,6})$/.exec(words[0] ?? "");
const unknown = words.filter((word) => !Object.hasOwn(BENCHES, word));

if (soak) {
  await soakBench(print, Number(soak[1]));
  await monitorHourBench(print);
} else if (unknown.length > 0) {
  process.stderr.write(
    `no such benchmark: ${unknown.join(" ")}; there are ${Object.keys(BENCHES).join(", ")}\n`,
  );
  process.exitCode = 2;
} else for (const name of words.length > 0 ? words : Object.keys(BENCHES)) await BENCHES[name]!(print);
