import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLimit } from "../commands/capture/stop-conditions.js";
import { checkLiveOptions, type LiveOptions, quoteWords } from "./options.js";

const OPTIONS: LiveOptions = { signal: new AbortController().signal, commandLine: [] };

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
  assert.deepEqual(checkLiveOptions({ ...OPTIONS, interface: ["a", "b"], bridge: ["a"] }), ["a", "b"]);
  assert.throws(() => checkLiveOptions(OPTIONS), /--bridge NAME/);
  assert.throws(() => checkLiveOptions({ ...OPTIONS, interface: ["any"] }), /several times/);
  const ring = { ...OPTIONS, interface: ["a"], write: "x", ringBuffer: { files: 2 } };
  assert.throws(() => checkLiveOptions(ring), /when a file is full/);
  assert.throws(() => checkLiveOptions({ ...ring, write: "-" }), /-w FILE/);
  assert.throws(
    () => checkLiveOptions({ ...OPTIONS, interface: ["a"], autostop: { files: 2 } }),
    /files of a ring/,
  );
});

test("a command line is quoted for a shell", () => {
  assert.equal(quoteWords(["capture", "-i", "br-app", "tcp port 80"]), "capture -i br-app 'tcp port 80'");
  assert.equal(quoteWords(["it's", "$(id)"]), "'it'\\''s' '$(id)'");
});
