import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
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

test("a names file that cannot be read is refused at once", () => {
  assert.throws(() => new HealthRounds("/nowhere/names.json", undefined, () => {}), CommandError);
});
