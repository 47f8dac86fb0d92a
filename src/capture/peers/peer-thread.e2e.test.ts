/** Rights of the asking threads after root is given up, including one started later. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { reasonUnreadable } from "../../readable.test.fixture.js";
import { answering, CONTAINERS, startEngine } from "../live/engine.test.fixture.js";

const ROOT_ONLY = { skip: process.geteuid?.() === 0 ? reasonUnreadable() : "needs root" };

const FILES = ["./peer-thread.js", "../kernel/privilege.js"].map((file) =>
  JSON.stringify(new URL(file, import.meta.url)),
);
/** Gives up root except CAP_NET_ADMIN, lets an answer crash the thread, asks again, and prints the rights of every thread. */
const PROGRAM = (heavy: string, good: string) => `
  import { readdirSync, readFileSync } from "node:fs";
  import { PeerThread } from ${FILES[0]};
  import { dropPrivileges } from ${FILES[1]};
  const peers = new PeerThread({ heapMb: 12, limitMs: 120_000 });
  await peers.load();
  dropPrivileges({ uid: 65534, gid: 65534, name: "nobody", home: null }, [12]);
  const failure = await peers.engine(${JSON.stringify(heavy)}).catch(({ message }) => message);
  const names = await peers.engine(${JSON.stringify(good)});
  await peers.load();
  const threads = readdirSync("/proc/self/task").filter((id) => Number(id) !== process.pid);
  const field = (id, name) =>
    new RegExp("^" + name + ":\\\\s*(\\\\S+)$", "m").exec(readFileSync("/proc/self/task/" + id + "/status", "utf8"))[1];
  const of = (name) => [...new Set(threads.map((id) => field(id, name)))];
  const main = field(process.pid, "CapEff");
  console.log(JSON.stringify({ failure, names: names.length, main, others: of("CapPrm") }));
  await peers.close();
`;

test(
  "threads that ask are without capabilities, the spare and the one started after root was given up too",
  ROOT_ONLY,
  async () => {
    const networks = Object.fromEntries(Array.from({ length: 48_000 }, (_, i) => [i, { IPAddress: "x" }]));
    const heavy = await startEngine(
      answering({ "/containers/json": [{ Id: "a", NetworkSettings: { Networks: networks } }] }),
    );
    const good = await startEngine(answering({ "/containers/json": CONTAINERS }));
    try {
      for (const { socket } of [heavy, good]) {
        chmodSync(dirname(socket), 0o755);
        chmodSync(socket, 0o777);
      }
      const words = ["--input-type=module", "-e", PROGRAM(heavy.socket, good.socket)];
      const child = spawn(process.execPath, words, { stdio: ["ignore", "pipe", "inherit"] });
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (piece: string) => {
        said += piece;
      });
      await once(child, "close");
      const { failure, names, main, others } = JSON.parse(said);
      assert.deepEqual(
        { failure, names, main, others },
        {
          failure: "the thread that asks ran out of memory",
          names: CONTAINERS.length,
          main: "0000000000001000",
          others: ["0000000000000000"],
        },
      );
    } finally {
      await heavy.close();
      await good.close();
    }
  },
);
