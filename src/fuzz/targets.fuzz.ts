/** All targets. Each is loaded when it is asked for, so that the coverage of its code is counted from the beginning. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Target } from "./target.fuzz.js";

const FILES: readonly (() => Promise<{ readonly targets: readonly Target[] }>)[] = [
  () => import("./capture.fuzz.js"),
  () => import("./netlink.fuzz.js"),
  () => import("./protocols.fuzz.js"),
  () => import("./texts.fuzz.js"),
];

/** Inputs that once broke a law: a folder a target. */
const KEPT = fileURLToPath(new URL("../../../fixtures/fuzz/", import.meta.url));

/** All targets, in fixed order; each starts with the inputs that once broke it, too. */
export async function loadTargets(): Promise<Target[]> {
  const all: Target[] = [];
  for (const load of FILES) all.push(...(await load()).targets);
  return all.map((target) => ({ ...target, seeds: [...target.seeds, ...keptInputs(target.name)] }));
}

function keptInputs(name: string): Uint8Array[] {
  const folder = `${KEPT}${name}/`;
  return readdirSync(KEPT).includes(name)
    ? readdirSync(folder)
        .sort()
        .map((file) => new Uint8Array(readFileSync(folder + file)))
    : [];
}
