/** System tools: searched in the system's folders, independent of the caller's PATH. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const TOOL_FOLDERS = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const TOOL_TIMEOUT_MS = 2000;
const TOOL_OUTPUT_BYTES = 8 * 1024 * 1024;

/** The full path of a system tool; undefined: not installed. */
export function findTool(tool: string): string | undefined {
  return TOOL_FOLDERS.map((folder) => join(folder, tool)).find((file) => existsSync(file));
}

/**
 * Runs a system tool by its full path with an array of arguments, never through a shell. Resolves to its output. Throws an Error
 * with the tool's message if it fails or takes longer than `timeoutMs`; its code is ENOENT if the tool is not installed.
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
