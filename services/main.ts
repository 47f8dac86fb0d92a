import { Command } from "commander";
import { startInstance } from "./host/start-instance.js";
import { addLabCommands } from "./lab.js";
import { LabError } from "./lab-error.js";

const program = new Command("services");
program
  .command("serve")
  .argument("[instance]", "in a container SHOP_INSTANCE says it", process.env.SHOP_INSTANCE)
  .action((name: string | undefined) => {
    if (name === undefined) throw new LabError("which instance? name it, or set SHOP_INSTANCE", 2);
    return startInstance(name);
  });
program
  .command("prepare-containers")
  .argument("[owners...]", "FILE:UID[:GID] of each secret")
  .action(async (owners: string[]) => {
    const { prepareContainers } = await import("./docker/prepare.js");
    prepareContainers(owners);
  });
program
  .command("load-client")
  .argument("<options>")
  .action(async (options: string) => {
    const { runLoad } = await import("./commands/load-client.js");
    process.stdout.write(JSON.stringify(await runLoad(JSON.parse(options))));
  });
addLabCommands(program.command("lab"));

try {
  await program.parseAsync();
} catch (error) {
  const { message, stack } = error as Error;
  // the message last: `status` shows the end of a log
  process.stderr.write(error instanceof LabError ? `${message}\n` : `${stack}\n${message}\n`);
  process.exit(error instanceof LabError ? error.exitCode : 1);
}
