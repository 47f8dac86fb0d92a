import { runLoad } from "./load-client.js";

process.stdout.write(JSON.stringify(await runLoad(JSON.parse(process.argv[2] ?? "{}"))));
