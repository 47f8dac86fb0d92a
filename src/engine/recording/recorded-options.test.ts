import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLimit } from "../../commands/capture/stop-conditions.js";
import { chosenInterfaces } from "../captured-options.js";
import { checkRecorded, type RecordedOptions } from "./recorded-options.js";

const OPTIONS: RecordedOptions = { signal: new AbortController().signal };

test("limits are dumpcap's words, gathered", () => {
  assert.deepEqual(parseLimit("files:5", parseLimit("filesize:1000")), { filesize: 1000, files: 5 });
  assert.deepEqual(parseLimit("duration:0.5"), { duration: 0.5 });
  for (const wrong of [
    "",
    "duration",
    "duration:",
    "duration:0",
    "packets:1.5",
    "bytes:5",
    "files:-1",
    "files:1e3",
  ])
    assert.throws(() => parseLimit(wrong), /must be one of/, wrong);
});

test("interfaces are named once each; what cannot be meant is refused", () => {
  assert.deepEqual(chosenInterfaces({ interface: ["a", "b"], bridge: ["a"] }), ["a", "b"]);
  assert.throws(() => chosenInterfaces({}), /--bridge NAME/);
  assert.throws(() => chosenInterfaces({ interface: ["any"] }), /several times/);
});

test("what is recorded must have somewhere to go", () => {
  const ring = { ...OPTIONS, write: "x", ringBuffer: { files: 2 } };
  assert.throws(() => checkRecorded(ring, undefined), /when a file is full/);
  assert.throws(() => checkRecorded({ ...ring, write: "-" }, undefined), /-w FILE/);
  assert.throws(() => checkRecorded({ ...OPTIONS, autostop: { files: 2 } }, undefined), /files of a ring/);
  assert.throws(() => checkRecorded({ ...OPTIONS, sidecar: "x" }, undefined), /goes beside the packets/);
  const health = { ...OPTIONS, health: true, events: "x" };
  assert.throws(() => checkRecorded(health, undefined), /--health asks/);
  checkRecorded(health, "names.json");
  checkRecorded({ ...ring, ringBuffer: { filesize: 1000 } }, undefined);
});
