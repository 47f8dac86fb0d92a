/** What the thread that compares passwords may do once root is given up. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { reasonUnreadable } from "../../../readable.test.fixture.js";

const ROOT_ONLY = { skip: process.geteuid?.() === 0 ? reasonUnreadable() : "needs root" };

const FILES = ["./password-checker.js", "../../../capture/kernel/privilege.js"].map((file) =>
  JSON.stringify(new URL(file, import.meta.url)),
);
/** Keeps CAP_NET_ADMIN alone, then starts the thread, and says what all threads besides the main one may do. */
const PROGRAM = `
  import { readdirSync, readFileSync } from "node:fs";
  import { PasswordChecker } from ${FILES[0]};
  import { dropPrivileges } from ${FILES[1]};
  dropPrivileges({ uid: 65534, gid: 65534, name: "nobody", home: null }, [12]);
  const checker = await PasswordChecker.start(() => {});
  const capabilities = (id) =>
    /^CapPrm:\\s*(\\S+)$/m.exec(readFileSync("/proc/self/task/" + id + "/status", "utf8"))[1];
  const threads = readdirSync("/proc/self/task");
  const able = threads.filter((id) => capabilities(id) !== "0000000000000000");
  console.log(JSON.stringify({ able: able.map((id) => Number(id) === process.pid), main: capabilities(process.pid) }));
  await checker.close();
`;

test("the thread that compares passwords is without capabilities", ROOT_ONLY, () => {
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", PROGRAM], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(said), { able: [true], main: "0000000000001000" });
});
