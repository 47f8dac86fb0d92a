import assert from "node:assert/strict";
import { test } from "node:test";
import type { Snapshot, Table } from "../../analyze/snapshot/snapshot.js";
import { growTree } from "../../view/map/topology-tree.js";
import { renderDot, renderMermaid, renderTopologyJson, renderTree, type Topology } from "./topology.js";
import { renderSvg } from "./topology-svg.js";

type Pair = readonly [source: string, destination: string, bytes: number, conversations: number];

function pairsTable(pairs: readonly Pair[]): Table {
  const rows = pairs.map(([source, destination, bytes, conversations]) => ({
    source,
    destination,
    packets: 1,
    bytes,
    share: 0,
    conversations,
  }));
  return { name: "pairs", title: "Service pairs", columns: [], rows, total: {}, omitted: 0 };
}

function topologyOf(pairs: readonly Pair[]): Topology {
  const seen = {
    ledger: { files: [{ name: "x.pcap" }] },
    window: { start: null, end: null, duration: 2 },
    tables: { pairs: pairsTable(pairs) },
  } as unknown as Snapshot;
  const members = [{ owner: "we\u001bb", interface: "lab-web" }];
  return { seen, bridges: [{ name: "br-app", addresses: "10.0.0.1/16", members }] };
}

const SHOP: readonly Pair[] = [
  ["client", "lb", 100, 4],
  ["lb", "client", 900, 0],
  ["lb", "app", 50, 3],
  ["app", "db", 40, 2],
  ["db", "app", 30, 0],
  ["app", "lb", 10, 1],
];

test("the tree opens every service once and survives circles", () => {
  const text = [...renderTree(topologyOf(SHOP))].join("");
  assert.equal(
    text,
    `x.pcap: 4 services, 3 connected pairs in 2.0 s

client
└─ lb  1000 B
   └─ app  60 B, both call
      └─ db  70 B

bridge br-app  10.0.0.1/16
└─ we\\x1bb  (lab-web)
`,
  );
  const circle = growTree(
    pairsTable([
      ["a", "b", 3, 1],
      ["b", "c", 2, 1],
      ["c", "a", 1, 1],
    ]),
  );
  assert.deepEqual(
    circle.map(({ name, more, again }) => [name, more.length, again]),
    [
      ["a", 0, false],
      ["b", 1, false],
      ["c", 2, false],
      ["a", 3, true],
    ],
  );
  const chain = Array.from({ length: 5000 }, (_, i): Pair => [`s${i}`, `s${i + 1}`, 1, 1]);
  assert.equal(growTree(pairsTable(chain)).length, 2000);
});

test("names cannot leave their quotes in any language", async () => {
  const evil = 'x"]; click n0 "https://e"; <script>\\" -->';
  const topology = topologyOf([[evil, "__proto__", 10, 1]]);
  const mermaid = [...renderMermaid(topology)].join("");
  assert.match(
    mermaid,
    /^ {2}n0\["x#34;#93;#59; click n0 #34;https#58;#47;#47;e#34;#59; #60;script#62;#92;#34; --#62;"\]$/m,
  );
  const dot = [...renderDot(topology)].join("");
  assert.ok(dot.includes('n0 [label="x\\"]; click n0 \\"https://e\\"; <script>\\\\\\" -->"];'));
  assert.ok(dot.includes('n1 [label="__proto__"]'));
  let svg = "";
  for await (const piece of renderSvg(topology)) svg += piece;
  assert.ok(!svg.includes("<script") && svg.includes("&lt;script&gt;"));
  assert.equal(svg.match(/<rect x=/g)?.length, 2);
  const json = JSON.parse([...renderTopologyJson(topology)].join(""));
  assert.deepEqual(json.edges[0], { client: evil, server: "__proto__", bytes: 10, mutual: false });
});
