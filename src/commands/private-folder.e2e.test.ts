/** A checkout below a folder that only root may enter: nothing is read from it once root is given up. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { reasonToSkip } from "../capture/kernel/netns.test.fixture.js";
import { PATIENCE_MS, until } from "../until.test.fixture.js";
import { PtyProgram } from "./pty.test.fixture.js";
import { ROOT } from "./terminal.test.fixture.js";

const skip = reasonToSkip("unshare", "mount", "python3");

const home = mkdtempSync(join(tmpdir(), "netwatch-private-"));
const checkout = join(home, "netwatch");
/** Mounts the program below `home`, visible only to itself. */
const command = [
  ...["unshare", "-m", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', ROOT, checkout],
  ...[process.execPath, join(checkout, "dist/src/cli.js")],
];
const server = createServer((socket) => socket.on("error", () => {}).end("hello"));
let traffic: NodeJS.Timeout | undefined;

before(async () => {
  chmodSync(home, 0o700);
  mkdirSync(checkout);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  traffic = setInterval(
    () =>
      connect(port, "127.0.0.1")
        .on("error", () => {})
        .resume(),
    20,
  );
});

after(() => {
  clearInterval(traffic);
  server.close();
  rmSync(home, { recursive: true });
});

/** A folder that any user may write to. */
function openFolder(t: { after(done: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-open-"));
  chmodSync(folder, 0o777);
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function start(words: readonly string[], cwd: string) {
  const env = { ...process.env, XDG_STATE_HOME: cwd, NETWATCH_DEBUG: "1" };
  const child = spawn(command[0]!, [...command.slice(1), ...words], { cwd, env, timeout: PATIENCE_MS });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (said.stderr += text));
  return { child, said };
}

async function untilSaid(child: ChildProcess, said: { stderr: string }, pattern: RegExp) {
  const isSo = () => pattern.test(said.stderr) || child.exitCode !== null;
  await until(isSo, () => `${pattern}: ${said.stderr}`);
  return pattern.exec(said.stderr) ?? assert.fail(said.stderr);
}

const LIVE = ["-i", "lo", "-a", "packets:30"];
const COMMANDS: readonly (readonly string[])[] = [
  ["capture", ...LIVE],
  ["capture", ...LIVE, "-o", "json"],
  ["capture", ...LIVE, "-o", "ndjson"],
  ["capture", ...LIVE, "-o", "csv", "--table", "pairs"],
  ["capture", ...LIVE, "-w", "x.pcapng", "--sidecar", "x.ndjson", "--events", "e.ndjson"],
  ["capture", ...LIVE, "-w", "ring.pcapng", "-b", "packets:10"],
  ["capture", ...LIVE, "--interval", "1", "--redact"],
  ["report", "x.pdf", ...LIVE],
  ["connections"],
  ["connections", "-o", "json"],
  ["connections", "-o", "ndjson"],
  ["connections", "-o", "csv", "--table", "limits"],
];

for (const words of COMMANDS)
  test(`${words.join(" ")} reads nothing after root is given up`, { skip }, async (t) => {
    const { child, said } = start(words, openFolder(t));
    const [code] = await once(child, "close");
    assert.equal(code, 0, said.stderr);
  });

test("serve answers every page, and ends well", { skip }, async (t) => {
  const { child, said } = start(["serve", "-i", "lo", "--listen", "127.0.0.1:0"], openFolder(t));
  t.after(() => child.kill("SIGKILL"));
  const [, origin] = await untilSaid(child, said, /listening on (http:\S+)\/metrics/);
  for (const [path, accept] of [
    ["/", "text/html"],
    ["/metrics", "text/plain"],
    ["/metrics", "application/openmetrics-text"],
    ["/snapshot", "application/json"],
  ]) {
    const answer = await fetch(`${origin}${path}`, { headers: { accept: accept! } });
    assert.equal(answer.status, 200, path);
    assert.ok((await answer.text()).length > 0);
  }
  child.kill("SIGTERM");
  const [code] = await once(child, "close");
  assert.equal(code, 0, said.stderr);
});

test("the monitor writes a list and a report", { skip }, async (t) => {
  const folder = openFolder(t);
  const program = new PtyProgram(["tui", "-i", "lo"], { columns: 120, rows: 30 }, command, folder);
  t.after(() => program.kill());
  await program.until(/[1-9]\d* packets/);
  program.type("2");
  await program.until(/row 1 of/);
  for (const [keys, ending] of [
    ["e", ".csv"],
    ["E", ".json"],
    ["r", ".pdf"],
  ] as const) {
    program.type(keys);
    await until(() =>
      readdirSync(folder).some((name) => name.startsWith("netwatch-") && name.endsWith(ending)),
    );
  }
  program.type("q");
  assert.equal(await program.ended, 0);
});
