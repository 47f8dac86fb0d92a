/** Connection tracking for the monitor: read by a process of its own, so that the one that decodes packets keeps no privilege. */
import { type ChildProcess, spawn } from "node:child_process";
import type { ConnectionsSnapshot } from "../analyze/snapshot.js";
import type { App } from "../tui/app.js";

/** A line that is longer is no Snapshot of ours. */
const MAX_LINE = 64 * 1024 * 1024;
const MAX_WORDS = 300;

interface ConnectionsOptions {
  readonly netns?: string;
  readonly names?: string;
  readonly interval?: number;
  readonly numeric?: boolean;
}

/** Begins `netwatch connections --watch`; gives the way to end it. */
export function watchConnections(options: ConnectionsOptions, app: App): () => void {
  const script = process.argv[1];
  if (script === undefined || process.geteuid?.() !== 0) {
    app.onConnections(null, "not known without root: `sudo netwatch tui`");
    return () => {};
  }
  const child = spawn(process.execPath, [script, ...wordsOf(options)], { stdio: ["ignore", "pipe", "pipe"] });
  let ended = false;
  readLines(child, (line) => {
    if (!ended) app.onConnections(JSON.parse(line) as ConnectionsSnapshot, null);
  });
  let words = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(0, MAX_WORDS);
  });
  child.on("error", (error) => app.onConnections(null, error.message));
  child.on("exit", () => {
    if (!ended)
      app.onConnections(null, words.replace(/^netwatch: /, "").split("\n", 1)[0] || "reading ended");
  });
  return () => {
    ended = true;
    child.stdout?.destroy();
    child.kill("SIGTERM");
  };
}

function wordsOf({ netns, names, interval, numeric }: ConnectionsOptions): string[] {
  const seconds = Math.max(1, Math.round(interval ?? 1));
  return [
    "connections",
    "--watch",
    "--output=ndjson",
    `--interval=${seconds}`,
    ...(netns === undefined ? [] : [`--netns=${netns}`]),
    ...(names === undefined || numeric ? [] : [`--names=${names}`]),
  ];
}

function readLines(child: ChildProcess, take: (line: string) => void): void {
  let pieces: string[] = [];
  let length = 0;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const lines = text.split("\n");
    for (const [i, line] of lines.entries()) {
      pieces.push(line);
      length += line.length;
      if (i === lines.length - 1) break;
      take(pieces.join(""));
      pieces = [];
      length = 0;
    }
    if (length > MAX_LINE) child.stdout?.destroy();
  });
}
