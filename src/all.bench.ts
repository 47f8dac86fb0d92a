/** Every benchmark in turn. Run by `npm run bench`. */
import { conntrackBench } from "./capture/conntrack/conntrack.bench.js";
import { liveBench } from "./capture/live/live.bench.js";
import { analyzeBench } from "./commands/analyze.bench.js";
import { prometheusBench } from "./report/prometheus.bench.js";
import { tuiBench } from "./tui/tui.bench.js";

await analyzeBench((line) => process.stdout.write(`${line}\n`));
await liveBench((line) => process.stdout.write(`${line}\n`));
await conntrackBench((line) => process.stdout.write(`${line}\n`));
await tuiBench((line) => process.stdout.write(`${line}\n`));
await prometheusBench((line) => process.stdout.write(`${line}\n`));
