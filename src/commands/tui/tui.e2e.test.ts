/** The monitor in a real terminal: the terminal is restored however the monitor ends. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../terminal.test.fixture.js";

/** Runs the monitor on a pseudo terminal, ends it in the given way, and prints the terminal's state. */
const HARNESS = `
import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time
node, cli, how, crash = sys.argv[1:5]
master, slave = pty.openpty()
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
before = termios.tcgetattr(slave)
env = dict(os.environ, TERM='xterm-256color', LC_ALL='C.UTF-8', NODE_OPTIONS='--require=' + crash if how == 'crash' else '')
child = subprocess.Popen([node, cli, 'tui'] + sys.argv[5:], stdin=slave, stdout=slave, stderr=slave, env=env,
    start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
out = b''
def read(until, seconds=120):
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
had = b'\\x1b[?1000h' in out and b'\\x1b[?1006h' in out
children = open('/proc/%d/task/%d/children' % (child.pid, child.pid)).read().split()
if how == 'q': os.write(master, b'q')
elif how == 'ctrl-c': os.write(master, b'\\x03')
elif how == 'suspend':
    os.write(master, b'\\x1a')
    read(lambda: state() == 'T')
    read(lambda: not alternate())
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
def mouse(): return any(out.rfind(b'\\x1b[?%dh' % mode) > out.rfind(b'\\x1b[?%dl' % mode) for mode in (1000, 1002, 1003, 1006))
def restored(): return not alternate() and out.rfind(b'\\x1b[?25h') > out.rfind(b'\\x1b[?25l')
read(lambda: restored() and not mouse())
result['code'] = child.wait()
gone = lambda: all(not os.path.exists('/proc/' + pid) for pid in children)
read(gone)
result['left'] = sum(os.path.exists('/proc/' + pid) for pid in children)
result['same'] = termios.tcgetattr(slave) == before
result['restored'] = restored()
result['mouse'] = [had, mouse()]
print(json.dumps(result))
`;
/** A module that makes the program throw an unexpected error. */
const CRASH = join(ROOT, "dist/src/commands/tui-crash.test.fixture.cjs");

const python = spawnSync("python3", ["--version"]).status === 0;

const noPython = python ? false : "python3 is not installed";

/** The terminal's state after `netwatch tui ARGS` was ended in that way. */
function runAndEnd(how: string, words: readonly string[]): unknown {
  writeFileSync(CRASH, "process.on('SIGUSR2', () => { throw new Error('unexpected error'); });\n");
  const all = ["-c", HARNESS, process.execPath, join(ROOT, "dist/src/cli.js"), how, CRASH, ...words];
  const { stdout, stderr } = spawnSync("python3", all, { encoding: "utf8", timeout: 600_000 });
  rmSync(CRASH);
  assert.equal(stderr, "");
  return JSON.parse(stdout);
}

for (const how of ["q", "ctrl-c", "SIGINT", "SIGTERM", "SIGHUP", "suspend", "crash"])
  test(`the terminal is as before after ${how}`, { skip: noPython }, () => {
    assert.deepEqual(runAndEnd(how, ["-r", join(ROOT, "fixtures/shop.pcapng"), "--speed", "100"]), {
      raw: true,
      alternate: true,
      ...(how === "suspend" ? { stopped: [true, true], resumed: [true, true] } : {}),
      code: how === "crash" ? 1 : how === "SIGHUP" ? 129 : 0,
      same: true,
      restored: true,
      mouse: [true, false],
      left: 0,
    });
  });

const noRoot = noPython || (process.geteuid?.() === 0 ? false : "needs root");

for (const how of ["q", "SIGTERM"])
  test(`live, as root, the terminal is as before after ${how} and nothing goes on`, { skip: noRoot }, () => {
    assert.deepEqual(runAndEnd(how, ["-i", "lo"]), {
      raw: true,
      alternate: true,
      code: 0,
      same: true,
      restored: true,
      mouse: [true, false],
      left: 0,
    });
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
