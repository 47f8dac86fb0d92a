import assert from "node:assert/strict";
import { test } from "node:test";
import { missingPackages } from "./requirements.js";

test("what is missing is named by its Debian package", () => {
  assert.deepEqual(
    missingPackages(() => true, true),
    [],
  );
  assert.deepEqual(
    missingPackages((program) => !["ip", "redis-server"].includes(program), false),
    ["iproute2", "redis-server", "postgresql"],
  );
});
