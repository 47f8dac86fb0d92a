import { spawn } from "node:child_process";
import { LabError } from "../lab-error.js";

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

export interface CommandOptions {
  input?: string;
  timeoutMs?: number;
}

const MAX_OUTPUT_BYTES = 8 << 20;

/** Runs a program by argument array, never through a shell; resolves whatever its exit code. */
export function tryCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ["pipe", "pipe", "pipe"],
      timeout: options.timeoutMs ?? 120_000,
    });
    const output = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"] as const)
      child[stream].setEncoding("utf8").on("data", (text: string) => {
        if (output[stream].length < MAX_OUTPUT_BYTES) output[stream] += text;
      });
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(new LabError(error.code === "ENOENT" ? `${file}: not installed` : `${file}: ${error.message}`)),
    );
    child.on("close", (code, signal) => {
      if (signal) output.stderr += `ended by ${signal}`;
      resolve({ code: code ?? 128, ...output });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}

/** Like tryCommand, but throws on failure, with the program's message. Resolves to stdout. */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const result = await tryCommand(file, args, options);
  if (result.code !== 0)
    throw new LabError(`${[file, ...args].join(" ")}: ${result.stderr.trim() || `exit code ${result.code}`}`);
  return result.stdout;
}
