import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, test } from "node:test";
import { flawOf } from "../../services/e2e/event-flaw.js";
import { reasonToSkip, TestNetwork } from "../capture/kernel/netns.test.fixture.js";
import { type BridgeLab, createBridge, udpFrame } from "../capture/live/live.test.fixture.js";
import { until } from "../until.test.fixture.js";
import { Workplace } from "./capture/capture.test.fixture.js";

/** The samples that the Wazuh rules are tested with; RECORD_EVENTS=1 writes them again, from a real run. */
const SAMPLES = new URL("../../../deploy/wazuh/samples/netwatch.ndjson", import.meta.url);
const SOMEONE = 31_337;

describe("the event log of a live run", { skip: reasonToSkip("mount") }, () => {
  let network: TestNetwork;
  let lab: BridgeLab;
  let work: Workplace;
  before(() => {
    network = new TestNetwork();
    lab = createBridge(network);
    work = new Workplace();
  });
  after(async () => {
    lab.close();
    work.close();
    await network.close();
  });

  const talk = (to: readonly string[]) =>
    network.script(
      lab.ends[0],
      `const s = require("dgram").createSocket("udp4");
      Promise.all(${JSON.stringify(to)}.map((to) => new Promise((done) => s.send("hello", 9, to, done)))).then(() => s.close());`,
    );
  const linesOf = (file: string) =>
    existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n").filter(Boolean) : [];
  const find = (file: string, event: string, name?: string) =>
    linesOf(file)
      .flatMap((line) => (line.endsWith("}") ? [JSON.parse(line)] : []))
      .find((found) => found.event === event && [undefined, found.source, found.destination].includes(name));
  const told = async (file: string, event: string, name?: string) => {
    await until(
      () => find(file, event, name) !== undefined,
      () => `${event} ${name ?? ""}: ${readFileSync(file, "utf8")}`,
    );
    return find(file, event, name);
  };

  test("new pairs, health, the kernel's drops and a lost interface, as they happen; the file is the caller's own", async (t) => {
    const server = createServer((socket) => socket.destroy()).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const names = work.path("names.json");
    const hosts = Array.from({ length: 29 }, (_, i) => [`host-${i}`, `10.9.0.${i + 10}`] as const);
    const [few, many] = [hosts.slice(0, 9), hosts.slice(9)];
    writeFileSync(
      names,
      JSON.stringify({
        web: "10.9.0.1",
        db: "10.9.0.2",
        cache: "10.9.0.3",
        shop: `127.0.0.1:${port}`,
        ...Object.fromEntries(hosts),
      }),
    );
    network.ip(lab.ends[1], "addr add 10.9.0.3/24 dev eth0");
    const disk = work.path("disk");
    mkdirSync(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=16k,mode=777", "none", disk]);
    t.after(() => execFileSync("umount", [disk]));
    const file = `${disk}/events.ndjson`;
    for (const path of [work.folder, names]) chmodSync(path, 0o777);
    const place = ["-i", "port0", "--netns", lab.bridge, "--no-conntrack", "-o", "ndjson"];
    const words = [...place, "--names", names, "--health"];
    const run = await work.listen([...words, "--interval", "0.2", "--buffer", "1", "--events", file], {
      env: { SUDO_UID: String(SOMEONE), SUDO_GID: String(SOMEONE) },
    });
    talk(["10.9.0.2"]);
    assert.equal((await told(file, "watch")).state, "started");
    const looks = run.shown.length;
    await until(() => run.shown.length >= looks + 2); // who talks at the first look is known
    assert.equal((statSync(file).mode & 0o777).toString(8), "600");
    assert.equal(statSync(file).uid, SOMEONE);

    talk(["10.9.0.3"]);
    const pair = await told(file, "new-pair", "cache");
    assert.deepEqual([pair.source, pair.destination].sort(), ["cache", "web"]);
    await new Promise((resolve) => server.close(resolve));
    const { service, before: was, state } = await told(file, "health");
    assert.deepEqual([service, was, state], ["shop", "up", "down"]);

    for (const [, address] of hosts) network.ip(lab.ends[1], `addr add ${address}/24 dev eth0`);
    talk(few.map(([, address]) => address));
    for (const [name] of few) await told(file, "new-pair", name);

    writeFileSync(`${disk}/filler`, Buffer.alloc(12_288)); // all but the page that the log is in
    talk(many.map(([, address]) => address));
    await run.said("events are lost: no space left on the device");
    rmSync(`${disk}/filler`);

    const frame = udpFrame(9, 1000);
    await run.freeze();
    await lab.passing(() => {
      for (let i = 0; i < 3000; i++) lab.a.send(frame);
    });
    run.child.kill("SIGCONT");
    const { count } = await told(file, "capture-drop");
    assert.ok(count > 100, String(count));
    assert.ok((await told(file, "events-lost")).count >= 1);

    network.ip(lab.bridge, "link del port0");
    assert.match((await told(file, "capture-ended")).reason, /gone/);
    const { code } = await run.ended;
    assert.equal(code, 8, "not all could be written");
    const lines = linesOf(file).filter((line) => line.endsWith("}"));
    assert.equal(linesOf(file).length - lines.length, 1, "the full disk has cut one line, and no other");
    assert.equal(JSON.parse(lines.at(-1)!).state, "ended");
    for (const line of lines) assert.equal(flawOf(line), "", line);
    if (process.env.RECORD_EVENTS) writeFileSync(SAMPLES, `${lines.join("\n")}\n`);
  });

  test("serve follows as well, as the user `nobody`, in a file that was opened before", async () => {
    const file = work.path("served.ndjson");
    const words = ["-i", "br0", "--netns", lab.bridge, "--listen", "127.0.0.1:0", "--events", file];
    const run = work.start(["serve", ...words]);
    await run.said("listening on");
    await told(file, "watch");
    const { code, stderr } = await run.stop("SIGTERM");
    assert.equal(code, 0, stderr);
    assert.deepEqual(
      linesOf(file).map((line) => JSON.parse(line).state),
      ["started", "ended"],
    );
    assert.equal(statSync(file).uid, 0);
  });

  test("an event log that cannot be opened is said before anything is captured", async () => {
    const words = ["-i", "br0", "--netns", lab.bridge, "--events", work.path("no/such/folder")];
    const { code, stderr } = await work.run(["capture", ...words]);
    assert.equal(code, 8);
    assert.match(stderr, /no\/such\/folder: no such file or directory/);
  });
});
