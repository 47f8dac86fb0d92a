import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { CommandError } from "../../exit.js";
import { until } from "../../until.test.fixture.js";
import { type HealthRound, HealthRounds } from "./health-rounds.js";

test("rounds ask what the names file lists when it is read, and one that cannot be read changes nothing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-health-"));
  const names = join(folder, "names.json");
  const write = (service: string) =>
    writeFileSync(
      names,
      JSON.stringify({ services: { [service]: { addresses: ["127.0.0.1"], ports: [1], health: "tcp" } } }),
    );
  write("first");
  let last: HealthRound | null = null;
  const rounds = new HealthRounds(names, undefined, (round) => {
    last = round;
  });
  const asked = () => last?.report.targets.map(({ service }) => service).join();
  try {
    await rounds.load();
    rounds.start(10);
    await until(() => asked() === "first");
    assert.equal(last!.checks.length, 1);
    assert.equal(last!.problem, null);
    writeFileSync(names, "{");
    assert.throws(() => rounds.reread(), CommandError);
    write("second");
    const before = last;
    await until(() => last !== before);
    assert.equal(asked(), "first");
    rounds.reread();
    await until(() => asked() === "second");
  } finally {
    rounds.close();
    rmSync(folder, { recursive: true });
  }
});

test("services are asked again at every interval, never twice at once, until it is ended", async () => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-health-"));
  let asked = 0;
  let together = 0;
  let most = 0;
  const server = createServer(async (_, response) => {
    asked++;
    together++;
    most = Math.max(most, together);
    await setTimeout(50); // longer than the interval
    together--;
    response.end("ok");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const names = join(folder, "names.json");
  const services = { web: { addresses: ["127.0.0.1"], ports: [port], health: "/" } };
  writeFileSync(names, JSON.stringify({ services }));
  const got: HealthRound[] = [];
  const rounds = new HealthRounds(names, undefined, (round) => void got.push(round));
  try {
    rounds.start(10);
    // A machine that does much else may be slow, or take the two seconds that a check has.
    await until(
      () => (got.at(-1)?.report.targets[0]?.history ?? []).filter((state) => state === "up").length >= 3,
    );
    rounds.close();
    assert.equal(most, 1);
    const { length } = got;
    await until(() => together === 0);
    await setTimeout(20); // what came back of the round under way would have been told, and twice the interval is over
    assert.deepEqual([asked <= length + 1, got.length], [true, length]);
  } finally {
    rounds.close();
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true });
  }
});

test("a names file that cannot be read is refused at once", () => {
  assert.throws(() => new HealthRounds("/nowhere/names.json", undefined, () => {}), CommandError);
});
