import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

/** Takes the lab down once this process is gone, even killed: one left up would make the next run skip. Call what it gives when all is in order. */
export function guardLab(): () => void {
  return guard([process.execPath, MAIN, "lab", "down"]);
}

/** Runs the command once this process is gone. Call what it gives when that is not needed any more. */
export function guard(command: readonly string[]): () => void {
  // A line: all is in order. The end of the pipe without one: the writer has gone.
  const child = spawn("sh", ["-c", 'read -r _ || exec "$0" "$@"', ...command], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  return () => void child.stdin.end("in order\n");
}
