import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { runCommand, tryCommand } from "../host/command.js";

const DAEMON = "/usr/sbin/dockerd";
const CLIENT = "/usr/bin/docker";
const COMPOSE = "/usr/bin/docker-compose";
const CGROUPS = "/sys/fs/cgroup";

/** Why no engine can be started here, or false. */
export function reasonToSkip(): string | false {
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    return "needs root on Linux: it starts a container engine in a network namespace";
  const missing = [DAEMON, CLIENT, COMPOSE].filter((program) => !existsSync(program));
  if (missing.length > 0) return `needs ${missing.join(", ")}: apt-get install docker.io docker-compose`;
  if (!readFileSync("/proc/filesystems", "utf8").includes("overlay")) return "the kernel has no overlayfs";
  // as root of a container, say
  const trial = spawnSync("unshare", ["--mount", "--net", "mount", "-t", "tmpfs", "tmpfs", "/run"]);
  return trial.status !== 0 && "this root may not mount in namespaces of its own";
}

/**
 * A container engine of the test's own. Its network namespace holds its bridges, firewall and settings, its mount namespace its
 * mounts and /run, so that the machine sees only its processes, control groups and one folder.
 */
export class Engine {
  readonly netns = `nwdocker${process.pid}`;
  readonly folder = mkdtempSync(join(tmpdir(), "netwatch-docker-"));
  readonly socket = join(this.folder, "docker.sock");
  readonly #cgroup = `netwatch-docker-${process.pid}`;
  #daemon: ChildProcess | undefined;

  async start(): Promise<void> {
    await runCommand("ip", ["netns", "add", this.netns]);
    await runCommand("ip", ["-n", this.netns, "link", "set", "lo", "up"]);
    const log = openSync(join(this.folder, "log"), "w");
    // not `ip netns exec`, whose own /sys has no control groups
    const namespaces = [`--net=/run/netns/${this.netns}`, "unshare", "--mount", "--propagation", "slave"];
    const hidden = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /etc/docker";
    this.#daemon = spawn(
      "nsenter",
      [...namespaces, "sh", "-c", `${hidden} && exec "$@"`, "sh", DAEMON, ...this.#options()],
      { stdio: ["ignore", log, log] },
    );
    for (let waited = 0; waited < 300_000; waited += 100) {
      if (this.#daemon.exitCode !== null) break;
      if ((await tryCommand(CLIENT, ["-H", `unix://${this.socket}`, "version"])).code === 0) return;
      await sleep(100);
    }
    throw new Error(
      `the engine does not come up: ${readFileSync(join(this.folder, "log"), "utf8").slice(-2000)}`,
    );
  }

  #options(): string[] {
    const options = {
      host: `unix://${this.socket}`,
      "data-root": join(this.folder, "data"),
      "exec-root": join(this.folder, "exec"),
      pidfile: join(this.folder, "pid"),
      "cgroup-parent": `/${this.#cgroup}`,
      "exec-opt": "native.cgroupdriver=cgroupfs",
      "storage-driver": "overlay2",
    };
    return Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  }

  /** The arguments that begin every call of the client. */
  get client(): readonly string[] {
    return [CLIENT, "-H", `unix://${this.socket}`];
  }

  docker(...words: string[]): Promise<string> {
    return runCommand(CLIENT, ["-H", `unix://${this.socket}`, ...words], { timeoutMs: 1_200_000 });
  }

  compose(file: string, variables: Readonly<Record<string, string>>, ...words: string[]): Promise<string> {
    const env = {
      ...variables,
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: this.folder,
      DOCKER_HOST: `unix://${this.socket}`,
      DOCKER_BUILDKIT: "1",
      COMPOSE_DOCKER_CLI_BUILD: "1",
    };
    const set = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    return runCommand("env", ["-i", ...set, COMPOSE, "-f", file, ...words], { timeoutMs: 1_200_000 });
  }

  /** Removes everything, in any state. */
  async stop(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon?.exitCode === null) {
      const left = (await this.docker("ps", "-aq")).split("\n").filter(Boolean);
      if (left.length > 0) await this.docker("rm", "-f", "-v", ...left);
      const containerd = Number(readFileSync(join(this.folder, "exec/containerd/containerd.pid"), "utf8"));
      const ended = once(daemon, "exit");
      daemon.kill("SIGTERM");
      // killed, it leaves behind the containerd that it started
      const patience = setTimeout(() => {
        daemon.kill("SIGKILL");
        process.kill(containerd, "SIGKILL");
      }, 180_000);
      await ended;
      clearTimeout(patience);
    }
    await tryCommand("ip", ["netns", "delete", this.netns]);
    for (const folder of cgroupFolders()
      .filter((path) => path.includes(`/${this.#cgroup}`))
      .reverse())
      rmdirSync(folder);
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** What this engine has on the machine, without that of other engines. */
  traces(): string[] {
    const inside = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
    return [
      // its processes have its folder among their arguments
      ...inside("/proc").filter((pid) => wordsOf(pid).includes(this.folder)),
      ...inside("/run/netns").filter((name) => name === this.netns),
      ...cgroupFolders().filter((path) => path.includes(`/${this.#cgroup}`)),
      ...readFileSync("/proc/mounts", "utf8")
        .split("\n")
        .filter((line) => line.includes(this.folder) || line.includes(this.netns)),
      ...(existsSync(this.folder) ? [this.folder] : []),
    ];
  }
}

/** Every control group, those inside after those around them. */
export function cgroupFolders(folder = CGROUPS): string[] {
  const inside = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return inside.flatMap(({ name }) => [`${folder}/${name}`, ...cgroupFolders(`${folder}/${name}`)]);
}

function wordsOf(pid: string): string {
  try {
    return /^\d+$/.test(pid) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "";
  } catch {
    return "";
  }
}
