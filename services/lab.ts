/** The lab's commands, and its functions for netwatch. `src/commands/lab-bench/lab.ts` finds this file by its path. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { LabError } from "./lab-error.js";
import { counted } from "./plural.js";

interface UpOptions {
  profile?: string;
  policies?: boolean;
  nodes?: string;
  rotateSeconds?: string;
  events?: string;
}

interface LoadCommandOptions {
  rps: string;
  duration: string;
  mix: string;
  connections: string;
  json?: boolean;
}

/** Adds the lab's commands to `lab`. Each loads its code when it runs. */
export function addLabCommands(lab: Command): void {
  lab
    .command("up")
    .description("build the lab, or what is missing of it, and wait until every server is healthy")
    .option("--profile <name>", "flat (one bridge, the default) or tiers (three)")
    .option("--policies", "limit who may reach PostgreSQL, Redis, the gateway and the outside")
    .option("--no-policies", "lift these limits again")
    .option("--nodes <count>", "order nodes: 4 with quorum 3, or 3 with quorum 2")
    .option("--rotate-seconds <seconds>", "how often moving services change their port")
    .option(
      "--events <file>",
      "append security events to this file (default: events.ndjson of the state folder)",
    )
    .action(async (options: UpOptions) => {
      const [{ labUp }, { formatTopology }, { describeCluster }] = await Promise.all([
        import("./commands/up.js"),
        import("./commands/status.js"),
        import("./bft/quorum.js"),
      ]);
      const { profile, policies } = options;
      if (profile !== undefined && profile !== "flat" && profile !== "tiers")
        throw new LabError(`--profile takes flat or tiers, not ${JSON.stringify(profile)}`, 2);
      const plan = await labUp(
        {
          ...(profile === undefined ? {} : { profile }),
          ...(policies === undefined ? {} : { policies }),
          ...(options.nodes === undefined ? {} : { nodes: wholeNumber("--nodes", options.nodes, 3, 4) }),
          ...(options.events === undefined ? {} : { events: resolve(options.events) }),
          ...(options.rotateSeconds === undefined
            ? {}
            : { rotateSeconds: wholeNumber("--rotate-seconds", options.rotateSeconds, 5, 86_400) }),
        },
        say,
      );
      print(formatTopology(plan));
      print(`order cluster: ${describeCluster(plan.cluster.nodes, plan.cluster.quorum)}`);
    });

  lab
    .command("down")
    .description("end and remove everything the lab made")
    .action(async () => {
      const { labDown } = await import("./commands/down.js");
      print((await labDown(say)) ? "the lab is down" : "there was no lab");
    });

  lab
    .command("status")
    .description("what runs, where it listens, and the last words of what does not")
    .action(async () => {
      const { formatStatus, labStatus } = await import("./commands/status.js");
      const status = await labStatus();
      print(formatStatus(status));
      if (status.instances.some((instance) => instance.state !== "healthy"))
        throw new LabError("not every server is healthy");
    });

  lab
    .command("load")
    .description("requests from the outside client through port 8080, for a limited time")
    .option("--rps <count>", "requests a second", "20")
    .option("--duration <seconds>", "how long", "10")
    .option("--mix <kind>", "browse, order or both", "both")
    .option("--connections <count>", "kept-alive connections at most", "10")
    .option("--json", "the result as JSON")
    .action(async (options: LoadCommandOptions) => {
      const { formatLoad, labLoad } = await import("./commands/load.js");
      if (options.mix !== "browse" && options.mix !== "order" && options.mix !== "both")
        throw new LabError(`--mix takes browse, order or both, not ${JSON.stringify(options.mix)}`, 2);
      const result = await labLoad({
        rps: wholeNumber("--rps", options.rps, 1, 2000),
        durationSeconds: wholeNumber("--duration", options.duration, 1, 3600),
        connections: wholeNumber("--connections", options.connections, 1, 200),
        mix: options.mix,
      });
      print(options.json ? JSON.stringify(result) : formatLoad(result));
      if (result.failed > 0)
        throw new LabError(`${result.failed} of ${counted(result.sent, "request")} failed`);
    });

  lab
    .command("rotate")
    .description("ask a moving service, or all of them, to change port now; wait until they have")
    .argument("[service]", "product-service, payment, email or api-gateway")
    .action(async (service: string | undefined) => {
      const { labRotate } = await import("./commands/rotate.js");
      for (const move of await labRotate(service)) print(`${move.instance}: ${move.from} -> ${move.to}`);
    });

  lab
    .command("check-cluster")
    .description("ask every order node how it is, and let each lead a vote about nothing")
    .action(async () => {
      const { formatCluster, labCheckCluster } = await import("./commands/check-cluster.js");
      const checks = await labCheckCluster();
      print(formatCluster(checks));
      if (!checks.every((check) => check.unanimous)) throw new LabError("the cluster is not unanimous");
    });

  addTrials(lab);
}

/** The running lab, or a temporary one, as the target of netwatch's `lab bench`. */
export async function openBenchTarget(progress: (text: string) => void) {
  const { openLabTarget } = await import("./commands/bench-target.js");
  return openLabTarget(progress);
}

/** Commands that test the cluster and prepare a Vault. */
function addTrials(lab: Command): void {
  lab
    .command("fault")
    .description("make one server fail, or well again")
    .argument("<node>", "a namespace, as order-node-2 or redis-cache")
    .argument("<kind>", "dead or ok; for order nodes also silent or lying")
    .action(async (node: string, kind: string) => {
      const { labFault } = await import("./commands/fault.js");
      print(await labFault(node, kind));
    });

  lab
    .command("test-bft")
    .description(
      "let order nodes fail in every way while orders come in, and say whether the cluster did as it should",
    )
    .action(async () => {
      const { formatTrials, labTestBft } = await import("./commands/test-bft.js");
      const results = await labTestBft(say);
      print(formatTrials(results));
      if (!results.every(({ isRight }) => isRight)) throw new LabError("the cluster did not do as it should");
    });

  lab
    .command("init-vault")
    .description(
      "make a Vault (VAULT_ADDR) ready for the shop: KV engine, policies, secrets that are not there yet",
    )
    .option(
      "--keys-file <file>",
      "unseal keys and root token: written where the Vault is new, read where it is sealed",
    )
    .option(
      "--token-dir <dir>",
      "also make a token for the operator and each service, each in a file of its own",
    )
    .action(async (options: { keysFile?: string; tokenDir?: string }) => {
      const [{ initVault }, { planLab, readLab }] = await Promise.all([
        import("./vault/init-vault.js"),
        import("./topology.js"),
      ]);
      await initVault(planLab(readLab(), { profile: "flat", policies: false }), options, process.env, print);
    });
}

function wholeNumber(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most))
    throw new LabError(
      `${option} takes a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`,
      2,
    );
  return value;
}

function say(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
