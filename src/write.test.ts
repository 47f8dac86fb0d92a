import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { runBounded } from "./until.test.fixture.js";
import { makeFolder } from "./write.js";

describe("makeFolder", () => {
  it("makes what is missing, with the mode asked for, and is content with what is there", (t) => {
    const root = mkdtempSync(join(tmpdir(), "netwatch-folder-"));
    t.after(() => rmSync(root, { recursive: true }));
    const path = join(root, "a", "b", "c");
    makeFolder(path, 0o700);
    makeFolder(path, 0o700);
    assert.equal(statSync(join(root, "a")).mode & 0o777, 0o700);
    assert.equal(statSync(path).mode & 0o777, 0o700);
  });

  it("says that a file is in the way", (t) => {
    const root = mkdtempSync(join(tmpdir(), "netwatch-folder-"));
    t.after(() => rmSync(root, { recursive: true }));
    writeFileSync(join(root, "file"), "");
    assert.throws(() => makeFolder(join(root, "file")), { code: "EEXIST" });
    assert.throws(() => makeFolder(join(root, "file", "below")), { code: "ENOTDIR" });
  });

  // In a process of its own: the fault this looks for is one that never returns.
  it("ends where no folder can be made", { skip: !existsSync("/proc/self") && "no /proc here" }, () => {
    const code = `try { it.makeFolder("/proc/netwatch/x"); } catch (e) { console.log(e.code); }`;
    const stdout = runBounded(new URL("./write.js", import.meta.url), code);
    assert.equal(stdout, "ENOENT\n");
  });
});
