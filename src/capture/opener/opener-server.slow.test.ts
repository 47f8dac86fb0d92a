import assert from "node:assert/strict";
import { fstatSync, openSync } from "node:fs";
import { test } from "node:test";
import { deserialize } from "node:v8";
import { SystemError } from "../kernel/libc.js";
import { NetnsError } from "../kernel/netns.js";
import type { HostNetwork } from "../live/interfaces.js";
import type { Opener } from "./opener.js";
import { OpenerServer } from "./opener-server.js";
import type { Answer } from "./remote-opener.js";

/** An opener that opens /dev/null and records its requests. */
function recorder(network: (previous: HostNetwork | null) => HostNetwork = () => ({}) as HostNetwork) {
  const asked: unknown[][] = [];
  const note = (...words: unknown[]) => {
    asked.push(words);
    return openSync("/dev/null", "r");
  };
  const opener: Opener = {
    packetSocket: (netns, type) => note("packetSocket", netns, type),
    netlinkSocket: (netns, family, options) => note("netlinkSocket", netns, family, options?.strict),
    askConntrack: () => void asked.push(["askConntrack"]),
    conntrackFiles: (netns, writable) => [note("conntrackFiles", netns, writable), null],
    setAccounting: () => void asked.push(["setAccounting"]),
    network,
    seal: () => [],
  };
  return { opener, asked };
}

function ask(server: OpenerServer, question: unknown, descriptors: readonly number[] = []) {
  const text = typeof question === "string" ? question : JSON.stringify(question);
  const reply = server.answer({ bytes: Buffer.from(text), descriptors })!;
  const bytes = Buffer.concat(reply.parts.map((part) => part.subarray(1)));
  return { answer: deserialize(bytes) as Answer, descriptors: reply.descriptors };
}

const GOOD = Buffer.from([20, 0, 0, 0, 1, 1, 1, 3, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

test("what is known is opened, as it was asked for", () => {
  const { opener, asked } = recorder();
  const server = new OpenerServer(opener);
  const one = ask(server, { op: "packetSocket", netns: "shop", type: 3 });
  const two = ask(server, { op: "netlinkSocket", netns: 17, family: 12, strict: true });
  const three = ask(server, { op: "conntrackFiles", netns: null, writable: false });
  assert.deepEqual(asked, [
    ["packetSocket", "shop", 3],
    ["netlinkSocket", 17, 12, true],
    ["conntrackFiles", null, false],
  ]);
  assert.deepEqual(
    [one, two, three].map(({ descriptors }) => descriptors.length),
    [1, 1, 1],
  );
  assert.deepEqual(three.answer, { value: [true, false] });
});

test("what is not known, or not as it must be, is refused: nothing is opened or sent", () => {
  const { opener, asked } = recorder();
  const server = new OpenerServer(opener);
  const changed = (at: number, byte: number) => [...GOOD.with(at, byte)];
  for (const question of [
    "",
    "{",
    "null",
    "[]",
    "7",
    {},
    { op: "open", path: "/etc/shadow" },
    { op: "__proto__" },
    { op: "constructor" },
    { op: "packetSocket", netns: null, type: 1 },
    { op: "packetSocket", netns: null },
    { op: "packetSocket", type: 3 },
    { op: "packetSocket", netns: "a\0b", type: 3 },
    { op: "packetSocket", netns: "x".repeat(5000), type: 3 },
    { op: "packetSocket", netns: -1, type: 3 },
    { op: "packetSocket", netns: 1.5, type: 3 },
    { op: "packetSocket", netns: ["shop"], type: 3 },
    { op: "netlinkSocket", netns: null, family: 16 },
    { op: "netlinkSocket", netns: null, family: "12" },
    { op: "askConntrack", request: [...GOOD] },
    { op: "askConntrack" },
    { op: "setAccounting", on: true },
  ]) {
    const { answer, descriptors } = ask(server, question);
    assert.ok("error" in answer, JSON.stringify(question));
    assert.deepEqual(descriptors, []);
  }
  // IPCTNL_MSG_CT_NEW, _DELETE and _GET_CTRZERO; another subsystem; no dump, or one that makes; longer or shorter.
  for (const request of [
    changed(4, 0),
    changed(4, 2),
    changed(4, 3),
    changed(5, 10),
    changed(6, 5),
    changed(7, 7),
    changed(12, 1),
    changed(16, 2),
    [...GOOD, 0, 0, 0, 0],
    [...GOOD.subarray(0, 19)],
    [],
    ["x"],
  ]) {
    const fd = openSync("/dev/null", "r");
    assert.ok("error" in ask(server, { op: "askConntrack", request }, [fd]).answer, String(request));
  }
  assert.deepEqual(asked, []);
});

test("a descriptor of another kind is neither sent to nor written to, and is closed", () => {
  const { opener, asked } = recorder();
  const server = new OpenerServer(opener);
  for (const question of [
    { op: "askConntrack", request: [...GOOD] },
    { op: "setAccounting", on: true },
    { op: "nothing" },
  ]) {
    const fd = openSync("/dev/null", "r+");
    const { answer } = ask(server, question, [fd]);
    assert.ok(!("value" in answer), question.op);
    assert.throws(() => fstatSync(fd), { code: "EBADF" });
  }
  assert.deepEqual(asked, []);
});

test("once sealed it opens nothing, and cannot be opened again; the network is still looked at, from the look before", () => {
  const seen: unknown[] = [];
  const { opener, asked } = recorder((previous) => {
    seen.push(previous);
    return { hidden: seen.length } as HostNetwork;
  });
  const server = new OpenerServer(opener);
  ask(server, { op: "network" });
  const seal = { bytes: Buffer.from('{"op":"seal","polls":true}'), descriptors: [] };
  assert.equal(server.answer(seal), null);
  assert.deepEqual(server.sealed, { polls: true });
  for (const question of [
    { op: "packetSocket", netns: null, type: 3 },
    { op: "netlinkSocket", netns: null, family: 12 },
    { op: "conntrackFiles", netns: null, writable: true },
    { op: "seal", polls: false },
  ])
    assert.deepEqual(ask(server, question).answer, { error: "nothing is opened any more" });
  assert.deepEqual(ask(server, { op: "network" }).answer, { value: { hidden: 2 } });
  assert.deepEqual(seen, [null, { hidden: 1 }]);
  assert.deepEqual(asked, []);
});

test("errors keep their kind on the way, and a large answer goes in parts", () => {
  const { opener } = recorder(() => ({ own: "x".repeat(150_000) }) as unknown as HostNetwork);
  const server = new OpenerServer({
    ...opener,
    packetSocket: () => {
      throw new SystemError("socket", 1);
    },
    netlinkSocket: () => {
      throw new NetnsError("ENOENT", "no network namespace x");
    },
  });
  assert.deepEqual(ask(server, { op: "packetSocket", netns: null, type: 3 }).answer, {
    syscall: "socket",
    errno: 1,
  });
  assert.deepEqual(ask(server, { op: "netlinkSocket", netns: "x", family: 0 }).answer, {
    netns: "ENOENT",
    message: "no network namespace x",
  });
  const { parts } = server.answer({ bytes: Buffer.from('{"op":"network"}'), descriptors: [] })!;
  assert.deepEqual(
    parts.map((part) => part[0]),
    [1, 1, 0],
  );
});
