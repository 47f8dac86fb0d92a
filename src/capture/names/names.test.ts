import assert from "node:assert/strict";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { parseAddress, parseCidr } from "../../net.js";
import { SEED } from "../file/sample.test.fixture.js";
import { Names, NamesError, namesOfCapture, parseNames, readNames } from "./names.js";

const bytes = (address: string) => parseAddress(address)!;

test("a names file: one address, several, IPv6 in any form, blocks", () => {
  const names = parseNames(
    '{"web": "10.0.0.10", "db": ["10.0.0.60", "FD00:0::60"], "office": "192.168.0.0/16", "six": ["2001:db8::/32"]}',
  );
  const cases: readonly (readonly [string, string | null])[] = [
    ["10.0.0.10", "web"],
    ["10.0.0.60", "db"],
    ["fd00::60", "db"],
    ["192.168.255.1", "office"],
    ["192.169.0.0", null],
    ["2001:db8:ffff::1", "six"],
    ["2001:db9::", null],
    ["10.0.0.11", null],
  ];
  for (const [address, name] of cases) assert.equal(names.find(address, null, null), name, address);
  assert.equal(names.rest, "external");
});

test("a lab file: services with addresses and ports, groups; its other keys are left alone", () => {
  const names = parseNames(
    JSON.stringify({
      version: 1,
      profiles: { flat: "not an address" },
      services: {
        gateway: { addresses: ["10.0.0.20", "fd00::20"], ports: [8080], calls: [] },
        shadow: { addresses: ["10.0.0.20"], ports: [9090] },
      },
      groups: { lab: ["10.0.0.0/24"] },
    }),
  );
  assert.equal(names.find("10.0.0.20", 8080, null), "gateway");
  assert.equal(names.find("10.0.0.20", 9090, null), "shadow");
  assert.equal(names.find("10.0.0.20", 1, null), "gateway");
  assert.equal(names.find("fd00::20", 9090, null), "gateway");
  assert.equal(names.find("10.0.0.99", null, null), "lab");
});

test("ports tell names of one address apart: of a named port, else the one without ports, else the first", () => {
  const names = parseNames(
    '{"redis": "10.0.0.5:6379", "host": "10.0.0.5", "pg": ["10.0.0.5:5432", "[fd00::5]:5432"]}',
  );
  assert.equal(names.find("10.0.0.5", 6379, null), "redis");
  assert.equal(names.find("10.0.0.5", 5432, null), "pg");
  assert.equal(names.find("10.0.0.5", 80, null), "host");
  assert.equal(names.find("10.0.0.5", null, null), "host");
  assert.equal(names.find("fd00::5", 80, null), "pg");
  assert.ok(names.varies("10.0.0.5") && !names.varies("fd00::5") && !names.varies("10.0.0.6"));
});

test("the longest group around an address has it, in any order of entries; an own name takes precedence", () => {
  const groups = ['"all": "0.0.0.0/0"', '"ten": "10.0.0.0/8"', '"net": "10.1.0.0/16"', '"host": "10.1.2.3"'];
  for (const order of [groups, groups.toReversed()]) {
    const names = parseNames(`{${order.join(",")}}`);
    const found = ["10.1.2.3", "10.1.2.4", "10.2.0.0", "11.0.0.0", "::1"].map((a) =>
      names.find(a, null, null),
    );
    assert.deepEqual(found, ["host", "net", "ten", "all", null]);
  }
});

test("a name may hold for a time: from its first moment up to its last, which is not its own", () => {
  const names = new Names(null);
  names.add("old", bytes("10.0.0.1"), [], 100, 200);
  names.add("new", bytes("10.0.0.1"), [], 200, 300);
  names.add("only", bytes("10.0.0.2"), [], 100);
  names.addGroup("group", parseCidr("10.0.0.0/24")!);
  const at = (time: number | null) => names.find("10.0.0.1", null, time);
  assert.deepEqual([99, 100, 199, 200, 299, 300].map(at), ["group", "old", "old", "new", "new", "group"]);
  assert.equal(at(null), "old");
  assert.ok(names.varies("10.0.0.1") && names.varies("10.0.0.2"));
  assert.equal(names.find("10.0.0.2", null, 99), "group");
});

test("names that every object has, and names with escape codes, are names like any other", () => {
  const names = parseNames(
    '{"__proto__": "10.0.0.1", "constructor": "10.0.0.2", "toString": ["10.0.0.3"], "\\u001b[2J": "10.0.0.4"}',
  );
  const found = [1, 2, 3, 4].map((last) => names.find(`10.0.0.${last}`, null, null));
  assert.deepEqual(found, ["__proto__", "constructor", "toString", "\x1b[2J"]);
  assert.equal(parseNames('{"services": "10.0.0.1"}').find("10.0.0.1", null, null), "services");
  const lab = parseNames('{"services": {"__proto__": {"addresses": "10.0.0.1"}}}');
  assert.equal(lab.find("10.0.0.1", null, null), "__proto__");
});

test("what every object inherits is no part of a names file", () => {
  Object.defineProperty(Object.prototype, "addresses", { value: "10.0.0.1", configurable: true });
  try {
    assert.throws(() => parseNames('{"services": {"web": {}}}'), {
      message: '"web": must be an address or a list of addresses',
    });
  } finally {
    delete (Object.prototype as { addresses?: unknown }).addresses;
  }
});

test("a capture's own names: the first of an address holds, without a name the address stays", () => {
  assert.equal(namesOfCapture([]), null);
  const names = namesOfCapture([
    { address: "10.0.0.1", name: "web" },
    { address: "10.0.0.1", name: "alias" },
    { address: "fd00::1", name: "db" },
  ])!;
  assert.equal(names.rest, null);
  assert.equal(names.find("10.0.0.1", null, null), "web");
  assert.equal(names.find("fd00::1", 5, 5), "db");
  assert.equal(names.find("10.0.0.2", null, null), null);
});

const BAD: readonly (readonly [text: string, message: string | RegExp])[] = [
  ["", /^not JSON: /],
  ["{", /^not JSON: /],
  ["[]", "must be a JSON object of names"],
  ["null", "must be a JSON object of names"],
  ['"10.0.0.1"', "must be a JSON object of names"],
  ['{"": "10.0.0.1"}', '"": a name has 1 to 255 characters'],
  [`{"${"x".repeat(256)}": "10.0.0.1"}`, `"${"x".repeat(80)}": a name has 1 to 255 characters`],
  ['{"web": 5}', '"web": must be an address or a list of addresses'],
  ['{"web": {}}', '"web": must be an address or a list of addresses'],
  ['{"web": null}', '"web": must be an address or a list of addresses'],
  ['{"web": [5]}', '"web": an address must be text'],
  ['{"web": "here"}', '"web": "here" is neither an address nor a block of addresses'],
  ['{"web": "10.0.0.256"}', '"web": "10.0.0.256" is neither an address nor a block of addresses'],
  ['{"web": "10.0.0.0/33"}', '"web": "10.0.0.0/33" is neither an address nor a block of addresses'],
  ['{"web": "10.0.0.1:65536"}', '"web": "10.0.0.1:65536" is neither an address nor a block of addresses'],
  ['{"web": "[10.0.0.1"}', '"web": "[10.0.0.1" is neither an address nor a block of addresses'],
  ['{"w\\u001b": "x"}', '"w\u001b": "x" is neither an address nor a block of addresses'],
  ['{"services": {"web": "10.0.0.1"}}', '"web": must be an object with "addresses"'],
  ['{"services": {"web": {}}}', '"web": must be an address or a list of addresses'],
  ['{"services": {"web": {"addresses": [], "ports": 80}}}', '"web": "ports" must be a list of port numbers'],
  [
    '{"services": {"web": {"addresses": [], "ports": [65536]}}}',
    '"web": "ports" must be a list of port numbers',
  ],
  [
    '{"services": {"web": {"addresses": [], "ports": [1.5]}}}',
    '"web": "ports" must be a list of port numbers',
  ],
  ['{"services": {}, "groups": {"lab": "x"}}', '"lab": "x" is neither an address nor a block of addresses'],
];

for (const [text, message] of BAD) {
  test(`a bad names file says in one line what is wrong: ${text.slice(0, 60)}`, () => {
    assert.throws(
      () => parseNames(text),
      (error: Error) => {
        assert.ok(error instanceof NamesError);
        if (typeof message === "string") assert.equal(error.message, message);
        else assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      },
    );
  });
}

test("property: any JSON gives names or a NamesError of one line, without control characters", () => {
  const cell = fc.oneof(
    fc.string(),
    fc.constantFrom("10.0.0.1", "10.0.0.0/8", "[::1]:5"),
    fc.integer(),
    fc.constant(null),
  );
  const value = fc.oneof(
    cell,
    fc.array(cell),
    fc.record({ addresses: fc.array(cell), ports: fc.array(fc.integer()) }),
  );
  const file = fc.oneof(
    fc.dictionary(fc.string(), value),
    fc.record({ services: fc.dictionary(fc.string(), value) }),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        file,
        fc.json().map((text) => JSON.parse(text) as unknown),
      ),
      (root) => {
        try {
          parseNames(JSON.stringify(root));
        } catch (error) {
          assert.ok(error instanceof NamesError, String(error));
          assert.doesNotMatch(error.message, /[\u0000-\u001f]/);
        }
      },
    ),
    { seed: SEED, numRuns: 500 },
  );
});

test("property: long runs of what an address may hold cost no time", () => {
  for (const text of [
    ":".repeat(1e6),
    "1".repeat(1e6),
    " ".repeat(1e6),
    "1.".repeat(5e5),
    `[${":".repeat(1e6)}]:1`,
  ])
    assert.throws(() => parseNames(JSON.stringify({ web: text })), NamesError);
});

test("a names file is read; one of more than 16 MiB is not", () => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-names-"));
  try {
    const path = join(folder, "names.json");
    writeFileSync(path, '{"web": "10.0.0.1"}');
    assert.equal(readNames(path).find("10.0.0.1", null, null), "web");
    truncateSync(path, 16 * 1024 * 1024 + 1);
    assert.throws(() => readNames(path), { message: "is larger than 16384 KiB" });
    assert.throws(() => readNames(folder), { code: "EISDIR" });
    assert.throws(() => readNames(join(folder, "none")), { code: "ENOENT" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("announced ports are those that a name holds at any time, and further announced ones; they add no name", () => {
  const names = new Names(null);
  const address = parseAddress("10.0.0.1")!;
  names.add("web", address, [80], 0, 1);
  names.add("api", address, [8001], 1, 2);
  names.announce(address, 8002);
  names.announce(parseAddress("10.0.0.2")!, 9);
  const copy = new Names(null);
  names.addTo(copy);
  for (const each of [names, copy]) {
    assert.deepEqual([...each.announcedPorts("10.0.0.1")], [80, 8001, 8002]);
    assert.deepEqual([...each.announcedPorts("10.0.0.2")], [9]);
    assert.deepEqual([...each.announcedPorts("10.0.0.3")], []);
    assert.equal(each.find("10.0.0.2", 9, null), null);
  }
});
