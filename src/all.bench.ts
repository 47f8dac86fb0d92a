/** Every benchmark in turn. Run by `npm run bench`. */
import { analyzeBench } from "./commands/analyze.bench.js";

await analyzeBench((line) => process.stdout.write(`${line}\n`));
