/** System tools: found where the system keeps them, whatever the caller's PATH says. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const TOOL_FOLDERS = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const TOOL_TIMEOUT_MS = 2000;
const TOOL_OUTPUT_BYTES = 8 * 1024 * 1024;

/** The full path of a system tool; undefined where it is not installed. */
export function findTool(tool: string): string | undefined {
  return TOOL_FOLDERS.map((folder) => join(folder, tool)).find((file) => existsSync(file));
}

/**
 * Runs a system tool by its full path, its words as an array, never through a shell. Resolves to what it prints. Throws an Error
 * with the tool's own words where it fails or is not done after `timeoutMs`; its code is ENOENT where the tool is not installed.
 */
export function runTool(
  tool: string,
  words: readonly string[],
  timeoutMs = TOOL_TIMEOUT_MS,
): Promise<string> {
  const path = findTool(tool);
  if (path === undefined) return Promise.reject(Object.assign(new Error(`no ${tool}`), { code: "ENOENT" }));
  const options = {
    timeout: timeoutMs,
    maxBuffer: TOOL_OUTPUT_BYTES,
    env: { LC_ALL: "C", PATH: TOOL_FOLDERS.join(":") },
  };
  return new Promise((resolve, reject) => {
    execFile(path, [...words], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(error.killed ? `${tool} does not answer` : stderr.trim() || `${tool} failed`));
    });
  });
}
