import assert from "node:assert/strict";
import { test } from "node:test";
import { liveOptionsOf, quoteArguments } from "./live-options.js";

test("what was typed is parted: each part has its own words and none of another", () => {
  const { signal } = new AbortController();
  const words = {
    signal,
    interface: ["a"],
    filter: "tcp",
    names: "names.json",
    write: "x.pcapng",
    table: "pairs",
  };
  const { captured, enriching, recorded } = JSON.parse(JSON.stringify(liveOptionsOf(words)));
  assert.deepEqual(captured, { interface: ["a"], filter: "tcp" });
  assert.deepEqual(enriching, { names: "names.json" });
  assert.deepEqual(recorded, { write: "x.pcapng", signal: {} });
  assert.equal(liveOptionsOf(words).recorded.signal, signal);
});

test("a command line is quoted for a shell", () => {
  assert.equal(quoteArguments(["capture", "-i", "br-app", "tcp port 80"]), "capture -i br-app 'tcp port 80'");
  assert.equal(quoteArguments(["it's", "$(id)"]), "'it'\\''s' '$(id)'");
});
