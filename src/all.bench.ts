/** Every benchmark in turn. Run by `npm run bench`; `npm run bench -- --soak=600` runs a capture of so many seconds and an hour of the monitor instead. */
import { conntrackBench } from "./capture/conntrack/conntrack.bench.js";
import { liveBench } from "./capture/live/live.bench.js";
import { soakBench } from "./capture/live/soak.bench.js";
import { analyzeBench } from "./commands/analyze/analyze.bench.js";
import { applicationsBench } from "./commands/analyze/applications.bench.js";
import { prometheusBench } from "./report/metrics/exposition.bench.js";
import { tuiBench, tuiHourBench } from "./tui/tui.bench.js";

const print = (line: string) => void process.stdout.write(`${line}\n`);
const soak = /^--soak=(\d{1,6})$/.exec(process.argv[2] ?? "");

if (soak) {
  await soakBench(print, Number(soak[1]));
  await tuiHourBench(print);
} else
  for (const bench of [analyzeBench, applicationsBench, liveBench, conntrackBench, tuiBench, prometheusBench])
    await bench(print);
