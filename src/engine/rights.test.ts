import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "../exit.js";
import { rightsOf } from "./rights.js";

test("outputs are opened as root where root itself called, else as who called or was named", () => {
  const isRoot = process.geteuid?.() === 0;
  assert.deepEqual([rightsOf(undefined, {}).caller, rightsOf(undefined, {}).isRoots], [null, isRoot]);
  const called = rightsOf(undefined, { SUDO_UID: "4242", SUDO_GID: "4243" });
  assert.deepEqual([called.caller?.uid, called.caller?.gid, called.isRoots], [4242, 4243, false]);
  const named = rightsOf("root", { SUDO_UID: "4242", SUDO_GID: "4243" });
  assert.deepEqual([named.caller?.uid, named.isRoots], [0, false]);
  assert.throws(() => rightsOf("no such user", {}), CommandError);
});
