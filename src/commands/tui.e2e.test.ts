/** The monitor in a real terminal: whichever way it ends, the terminal is as it was. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./terminal.test.fixture.js";

/** Runs the monitor on a pseudo terminal of its own, ends it in the way that is named, prints what became of the terminal. */
const HARNESS = `
import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time
node, cli, capture, how, crash = sys.argv[1:6]
master, slave = pty.openpty()
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
before = termios.tcgetattr(slave)
env = dict(os.environ, TERM='xterm-256color', LC_ALL='C.UTF-8', NODE_OPTIONS='--require=' + crash if how == 'crash' else '')
child = subprocess.Popen([node, cli, 'tui', '-r', capture, '--speed', '100'], stdin=slave, stdout=slave, stderr=slave, env=env,
    start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
out = b''
def read(until, seconds=8):
    global out
    end = time.time() + seconds
    while time.time() < end and not until():
        if select.select([master], [], [], 0.02)[0]:
            try: out += os.read(master, 65536)
            except OSError: return
def state(): return open('/proc/%d/stat' % child.pid).read().rsplit(')', 1)[1].split()[0]
result = {}
read(lambda: b'packets' in out and b'help' in out)
result['raw'] = termios.tcgetattr(slave) != before
def alternate(): return out.rfind(b'\\x1b[?1049h') > out.rfind(b'\\x1b[?1049l')
result['alternate'] = alternate()
if how == 'q': os.write(master, b'q')
elif how == 'ctrl-c': os.write(master, b'\\x03')
elif how == 'suspend':
    os.write(master, b'\\x1a')
    read(lambda: state() == 'T')
    read(lambda: False, 0.1)
    result['stopped'] = [termios.tcgetattr(slave) == before, not alternate()]
    child.send_signal(signal.SIGCONT)
    read(alternate)
    result['resumed'] = [termios.tcgetattr(slave) != before, alternate()]
    os.write(master, b'q')
else: child.send_signal(getattr(signal, how if how != 'crash' else 'SIGUSR2'))
read(lambda: child.poll() is not None)
if child.poll() is None:
    child.kill()
    result['hung'] = True
read(lambda: False, 0.1)
result['code'] = child.wait()
result['same'] = termios.tcgetattr(slave) == before
result['restored'] = not alternate() and out.rfind(b'\\x1b[?25h') > out.rfind(b'\\x1b[?25l')
print(json.dumps(result))
`;
/** A module that makes the program fail where nobody foresaw it. */
const CRASH = join(ROOT, "dist/src/commands/tui-crash.test.fixture.cjs");

const python = spawnSync("python3", ["--version"]).status === 0;

for (const how of ["q", "ctrl-c", "SIGINT", "SIGTERM", "SIGHUP", "suspend", "crash"])
  test(`the terminal is as before after ${how}`, {
    skip: python ? false : "python3 is not installed",
  }, () => {
    writeFileSync(CRASH, "process.on('SIGUSR2', () => { throw new Error('nobody foresaw this'); });\n");
    const words = [
      process.execPath,
      join(ROOT, "dist/src/cli.js"),
      join(ROOT, "fixtures/shop.pcapng"),
      how,
      CRASH,
    ];
    const { stdout, stderr } = spawnSync("python3", ["-c", HARNESS, ...words], {
      encoding: "utf8",
      timeout: 30_000,
    });
    rmSync(CRASH);
    assert.equal(stderr, "");
    const expected = {
      raw: true,
      alternate: true,
      ...(how === "suspend" ? { stopped: [true, true], resumed: [true, true] } : {}),
      code: how === "crash" ? 1 : 0,
      same: true,
      restored: true,
    };
    assert.deepEqual(JSON.parse(stdout), expected);
  });

test("without a terminal it says what to use, and ends with 2", () => {
  const cli = join(ROOT, "dist/src/cli.js");
  const { stdout, stderr, status } = spawnSync(process.execPath, [cli, "tui", "-i", "br-app"], {
    encoding: "utf8",
  });
  assert.deepEqual(
    [stdout, stderr, status],
    [
      "",
      "netwatch: tui needs a terminal to draw on; without one, use `netwatch capture -i br-app -o table`\n",
      2,
    ],
  );
});
