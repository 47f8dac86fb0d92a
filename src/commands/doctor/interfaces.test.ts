import assert from "node:assert/strict";
import { test } from "node:test";
import { link, NETWORK, space, veth } from "../../capture/names/network.test.fixture.js";
import { renderCsv } from "../../report/data/csv.js";
import { renderTableJson } from "../../report/data/json.js";
import { createFakeTerminal, expectGolden } from "../terminal.test.fixture.js";
import { buildInterfaces, listInterfaces, renderInterfaces } from "./interfaces.js";

const HOSTILE = [
  "$(touch x)",
  ";touch y",
  "-wpwn",
  "\x1b[31mred",
  "=1+1",
  "__proto__",
  '"}x',
  "a`id`",
  "constructor",
];

/** The made-up host, its addresses, a container, and a bridge with hostile ports. */
const HOST = {
  ...NETWORK,
  own: {
    ...NETWORK.own,
    links: [
      ...NETWORK.own.links,
      link(50, "br-\u202eevil", { kind: "bridge", promiscuous: true }),
      ...HOSTILE.map((name, i) => link(60 + i, name, veth(2, 7, 50))),
      link(80, "v80", veth(4, 8, 50)),
    ],
    addresses: [{ link: 5, address: Uint8Array.of(10, 0, 0, 1), text: "10.0.0.1", prefix: 16, setAtCs: 1 }],
  },
  others: [
    ...NETWORK.others,
    { ...space("0123456789ab", 8, link(4, "eth0", veth(80, 3))), namespace: container("0123456789ab") },
  ],
};

function container(name: string) {
  return { id: 9, kind: "container", name, path: "", containerId: "0123456789abcdef" } as const;
}

const NAMES = new Map([["0123456789abcdef", "product-2"]]);

test("golden: the list as a person and as programs read it", async () => {
  const table = buildInterfaces(HOST, NAMES);
  expectGolden("interfaces.txt", [...renderInterfaces(table, { width: 80, color: false })].join(""));
  expectGolden("interfaces.csv", [...renderCsv(table)].join(""));
  expectGolden("interfaces.json", [...renderTableJson(table)].join(""));
});

test("no name reaches the terminal with a control character in it", () => {
  const text = [...renderInterfaces(buildInterfaces(HOST, NAMES), { width: 200, color: false })].join("");
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  assert.match(text, /\\x1b\[31mred/);
  assert.match(text, /v80 .*product-2 \(eth0\) .*br-\\u202eevil/);
});

test("this machine's list holds the loopback in every form", async () => {
  for (const output of ["table", "json", "ndjson", "csv"] as const) {
    const terminal = createFakeTerminal();
    try {
      assert.equal(await listInterfaces({ output }, terminal), 0);
      assert.match(terminal.out(), /\blo\b/);
    } finally {
      terminal.dispose();
    }
  }
});

test("a namespace that is not there is said", async () => {
  const terminal = createFakeTerminal();
  try {
    await assert.rejects(listInterfaces({ netns: "netwatch-no-such" }, terminal), { exitCode: 4 });
  } finally {
    terminal.dispose();
  }
});
