import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { hashSync } from "bcryptjs";
import { sourceOf } from "../web/source-address.js";
import { Authenticator } from "./basic-auth.js";
import { LoginDelays } from "./login-delays.js";
import { PasswordChecker } from "./password-checker.js";

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;

test("an address that failed waits, twice as long each time, up to a bound, until it succeeds or time has passed", () => {
  const delays = new LoginDelays();
  assert.equal(delays.waitMs("a", 0), 0);
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) {
    delays.fail("a", 1000);
    waits.push(delays.waitMs("a", 1000));
  }
  assert.deepEqual(waits, [250, 500, 1000, 2000, 4000, 4000, 4000]);
  assert.equal(delays.waitMs("a", 3000), 2000);
  assert.equal(delays.waitMs("b", 1000), 0, "another address");
  assert.equal(delays.waitMs("a", 700_000), 0);
  delays.succeed("a");
  assert.equal(delays.waitMs("a", 1000), 0);
});

test("addresses that failed are kept up to a bound, the latest longest", () => {
  const delays = new LoginDelays();
  for (let i = 0; i < 100_000; i++) delays.fail(`address ${i}`, i);
  assert.ok(delays.size <= 1024);
  assert.ok(delays.waitMs("address 99999", 99_999) > 0);
});

test("of one address two logins are looked at, the rest is told to come later", async () => {
  const asked: (() => void)[] = [];
  const compare = (_: string, hashes: readonly string[]) =>
    new Promise<boolean[]>((resolve) => asked.push(() => resolve(hashes.map(() => false))));
  const authenticator = new Authenticator(new Map([["alice", hashSync("secret", 4)]]), compare);
  const verdicts = Array.from({ length: 10 }, (_, i) =>
    authenticator.check(basic("alice", `guess ${i}`), "10.0.0.1"),
  );
  assert.equal(asked.length, 2);
  for (const answer of asked) answer();
  const counted = await Promise.all(verdicts);
  assert.equal(counted.filter((verdict) => verdict === "early").length, 8);
  assert.equal(counted.filter((verdict) => verdict === "refused").length, 2);
});

test("every name takes the same comparisons: one hash of each cost that users have", async () => {
  const asked: string[][] = [];
  const compare = async (_: string, hashes: readonly string[]) => {
    asked.push(hashes.map((hash) => hash.slice(0, 7)));
    return hashes.map(() => false);
  };
  const users = new Map([
    ["alice", hashSync("secret", 4)],
    ["bob", hashSync("secret", 5)],
    ["carol", hashSync("other", 4)],
  ]);
  const authenticator = new Authenticator(users, compare);
  for (const [i, user] of ["alice", "bob", "carol", "mallory", "__proto__"].entries())
    await authenticator.check(basic(user, "wrong"), `10.0.0.${i}`);
  const costs = asked.map((hashes) => hashes.map((hash) => hash.slice(4, 6)));
  assert.deepEqual(costs, new Array(5).fill(["04", "05"]));
});

test("wrong passwords, however many, do not push out who was let in", async () => {
  let compared = 0;
  const compare = async (password: string, hashes: readonly string[]) => {
    compared++;
    return hashes.map(() => password === "secret");
  };
  const authenticator = new Authenticator(new Map([["alice", hashSync("secret", 4)]]), compare);
  await authenticator.check(basic("alice", "secret"), "10.0.0.1");
  for (let i = 0; i < 300; i++) await authenticator.check(basic("alice", `guess ${i}`), `10.1.0.${i}`);
  const before = compared;
  assert.equal(await authenticator.check(basic("alice", "secret"), "10.0.0.1"), "granted");
  assert.equal(compared, before);
});

async function startChecker(t: TestContext, said: string[] = []): Promise<PasswordChecker> {
  const checker = await PasswordChecker.start((line) => said.push(line));
  t.after(() => checker.close());
  return checker;
}

test("passwords are compared beside the main thread, which goes on meanwhile", async (t) => {
  const checker = await startChecker(t);
  const hashes = [hashSync("secret", 10), hashSync("other", 4)];
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const before = performance.eventLoopUtilization();
  const matches = await checker.compare("secret", hashes);
  clearInterval(timer);
  assert.deepEqual(matches, [true, false]);
  assert.ok(turns > 0);
  assert.ok(performance.eventLoopUtilization(before).idle > 0);
});

test("if passwords cannot be compared no new user is admitted", async (t) => {
  const said: string[] = [];
  const checker = await startChecker(t, said);
  const users = new Map([["alice", hashSync("secret", 12)]]);
  const authenticator = new Authenticator(users, (password, hashes) => checker.compare(password, hashes));
  const verdict = authenticator.check(basic("alice", "secret"), "10.0.0.1");
  await checker.close();
  assert.equal(await verdict, "busy");
  assert.equal(await authenticator.check(basic("alice", "secret"), "10.0.0.1"), "busy");
  assert.deepEqual(said, []);
});

test("a connection counts for its IPv4 address, or for the /64 of its IPv6 address", () => {
  assert.equal(sourceOf("10.0.0.1"), "10.0.0.1");
  assert.equal(sourceOf("::ffff:10.0.0.1"), "10.0.0.1");
  assert.equal(sourceOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2");
  assert.equal(sourceOf("2001:db8:1:2::9"), "2001:db8:1:2");
  assert.equal(sourceOf("2001:db8::9"), "2001:db8:0:0");
  assert.equal(sourceOf("::1"), "0:0:0:0");
  assert.equal(sourceOf("fe80::1%eth0"), "fe80:0:0:0");
});
