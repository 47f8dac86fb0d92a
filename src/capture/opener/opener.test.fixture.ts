/** Reads the rights of processes for tests, thread by thread. */
import { readdirSync, readFileSync } from "node:fs";

/** The rights of a process's threads, each distinct state once: `uid inheritable permitted effective ambient no_new_privs`. */
export function rightsOf(pid: number): string[] {
  const threads = readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const status = textOf(`/proc/${pid}/task/${task}/status`);
    // It has ended meanwhile.
    if (status === "") return [];
    const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)![1]!;
    const sets = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map((name) =>
      BigInt(`0x${field(name)}`).toString(16),
    );
    return [field("Uid"), ...sets, field("NoNewPrivs")].join(" ");
  });
  return [...new Set(threads)].sort();
}

/** Processes that this one has started and that have not ended. */
export function childrenOf(pid: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      const status = textOf(`/proc/${candidate}/status`);
      return new RegExp(`^PPid:\\t${pid}$`, "m").test(status) && !/^State:\tZ/m.test(status);
    });
}

/** The opener that a process has beside it, or null. */
export function openerOf(pid: number): number | null {
  return (
    childrenOf(pid).find((child) => textOf(`/proc/${child}/cmdline`).includes("opener-process.js")) ?? null
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended
  }
}
