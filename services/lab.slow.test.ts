import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { isLabError, type Lab, loadLab } from "../src/commands/lab-bench/lab.js";
import * as own from "./lab.js";
import { LabError } from "./lab-error.js";

/** The compiler checks that the module netwatch finds by path has the expected type. */
const lab: Lab = own;

async function run(...args: string[]): Promise<unknown> {
  const program = new Command().exitOverride();
  lab.addLabCommands(program.command("lab"));
  return program.parseAsync(["lab", ...args], { from: "user" });
}

function fails(exitCode: number, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof LabError, String(error));
    assert.match(error.message, message);
    assert.equal(error.exitCode, exitCode);
    return true;
  };
}

test("netwatch finds the lab by its path, and knows its errors by name and code", async () => {
  assert.equal(await loadLab(), own);
  assert.equal(isLabError(new LabError("down", 3)), true);
  assert.equal(isLabError(new Error("down")), false);
});

test("wrong options are named before anything is done", async () => {
  await assert.rejects(run("up", "--profile", "round"), fails(2, /flat or tiers/));
  await assert.rejects(run("up", "--nodes", "7"), fails(2, /from 3 to 4/));
  await assert.rejects(run("load", "--rps", "1e9"), fails(2, /--rps/));
  await assert.rejects(run("load", "--duration", "0"), fails(2, /--duration/));
  await assert.rejects(run("load", "--mix", "steal"), fails(2, /browse, order or both/));
});
