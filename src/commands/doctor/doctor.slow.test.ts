import assert from "node:assert/strict";
import { test } from "node:test";
import { startEngine } from "../../capture/live/engine.test.fixture.js";
import { createFakeTerminal } from "../terminal.test.fixture.js";
import { doctor } from "./doctor.js";

interface Line {
  readonly topic: string;
  readonly state: string;
  readonly why: string;
  readonly cure: string | null;
}

test("this machine: every line has a state and a reason, and the end is 0 whatever they are", async () => {
  const terminal = createFakeTerminal();
  try {
    assert.equal(await doctor({ output: "json", interface: "netwatch-none" }, terminal), 0);
    const lines = JSON.parse(terminal.out()) as Line[];
    const topics = lines.map(({ topic }) => topic);
    for (const topic of [
      "privilege",
      "ring",
      "filter",
      "koffi",
      "interface",
      "br_netfilter",
      "conntrack",
      "clock",
    ])
      assert.ok(topics.includes(topic), topic);
    for (const { state, why } of lines) {
      assert.match(state, /^(ok|limited|missing)$/);
      assert.notEqual(why, "");
    }
    assert.equal(lines.find(({ topic }) => topic === "interface")?.state, "missing");
  } finally {
    terminal.dispose();
  }
});

test("an engine that hangs is one line, and doctor ends all the same", async () => {
  const engine = await startEngine(() => {});
  const terminal = createFakeTerminal();
  try {
    const env = { ...terminal.env, DOCKER_HOST: `unix://${engine.socket}` };
    assert.equal(await doctor({}, { ...terminal, env }), 0);
    assert.match(terminal.out(), /limited {2}docker .*engine\.sock:\s+no\s+answer\s+within\s+2\s+s;/);
  } finally {
    terminal.dispose();
    await engine.close();
  }
});
