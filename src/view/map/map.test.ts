import assert from "node:assert/strict";
import { test } from "node:test";
import { ringSnapshot, sumRows } from "../../report/ring.test.fixture.js";
import { buildTopologyGraph, limitTopologyGraph, splitTopologyGraph } from "./map-graph.js";
import { layOutTopology, type TopologySizes } from "./map-layout.js";
import { packRows } from "./map-pack.js";

const SIZES: TopologySizes = { nodeWidth: () => 60, nodeHeight: 27, labelWidth: () => 30, labelHeight: 10 };

function pairs(rows: readonly [source: string, destination: string, bytes: number, conversations: number][]) {
  const { tables } = ringSnapshot([]);
  const cells = rows.map(([source, destination, bytes, conversations]) => ({
    source,
    destination,
    bytes,
    conversations,
    packets: 1,
    share: 0,
  }));
  return { ...tables.pairs, rows: cells, total: sumRows(cells) };
}

test("both directions of a pair are one edge, from the side that began", () => {
  const map = buildTopologyGraph(
    pairs([
      ["db", "web", 90, 0],
      ["web", "db", 10, 2],
      ["db", "db", 5, 1],
    ]),
  );
  assert.deepEqual(map.edges, [{ client: "web", server: "db", bytes: 100, mutual: false }]);
  assert.deepEqual(map.nodes, [
    { name: "db", bytes: 105, within: 5 },
    { name: "web", bytes: 100, within: 0 },
  ]);
  assert.equal(map.total, 100);
});

test("names that objects have of their own are ordinary names", () => {
  const map = buildTopologyGraph(
    pairs([
      ["__proto__", "constructor", 2, 1],
      ["toString", "__proto__", 1, 1],
    ]),
  );
  assert.deepEqual(
    map.edges.map(({ client, server }) => [client, server]),
    [
      ["__proto__", "constructor"],
      ["toString", "__proto__"],
    ],
  );
});

test("a part of a map keeps the largest edges and their nodes; separate parts are told apart", () => {
  const map = buildTopologyGraph(
    pairs([
      ["a", "b", 9, 1],
      ["c", "d", 8, 1],
      ["e", "f", 7, 1],
    ]),
  );
  const part = limitTopologyGraph(map, 2);
  assert.deepEqual(
    part.nodes.map(({ name }) => name),
    ["a", "b", "c", "d"],
  );
  assert.deepEqual(
    splitTopologyGraph(part).map(({ edges }) => edges.length),
    [1, 1],
  );
});

test("rectangles are set in rows within the width", () => {
  const packing = packRows(
    [
      { width: 40, height: 10 },
      { width: 50, height: 30 },
      { width: 30, height: 20 },
    ],
    100,
    5,
  );
  assert.deepEqual(packing.corners, [
    { x: 0, y: 35 },
    { x: 0, y: 0 },
    { x: 55, y: 0 },
  ]);
  assert.deepEqual([packing.width, packing.height], [85, 45]);
});

test("the map is within its box, its boxes apart, its edges where their nodes are", async () => {
  const services = Array.from({ length: 60 }, (_, i) => `s${i}`);
  const star = pairs(services.map((name, i) => [name, i % 7 === 0 ? "hub" : services[i - 1]!, 1000 - i, 1]));
  const layout = await layOutTopology(buildTopologyGraph(star), SIZES, 483, 560);
  assert.ok(layout.width * layout.scale <= 483.01 && layout.height * layout.scale <= 560.01);
  assert.ok(layout.scale >= 0.74 && layout.edges.length >= 8);
  for (const [i, a] of layout.nodes.entries())
    for (const b of layout.nodes.slice(i + 1))
      assert.ok(Math.abs(a.x - b.x) >= 59 || Math.abs(a.y - b.y) >= 26, `${a.name} on ${b.name}`);
  for (const { client, points } of layout.edges) {
    const node = layout.nodes.find(({ name }) => name === client)!;
    assert.ok(Math.abs(points[0]!.x - node.x) <= 31 && Math.abs(points[0]!.y - node.y) <= 15);
  }
});

test("a small map stands where it stood", async () => {
  const layout = await layOutTopology(
    buildTopologyGraph(
      pairs([
        ["web", "api", 10, 1],
        ["api", "db", 5, 1],
      ]),
    ),
    SIZES,
    483,
    560,
  );
  const round = (n: number) => Math.round(n);
  assert.deepEqual(
    layout.nodes.map(({ name, x, y }) => [name, round(x), round(y)]),
    [
      ["web", 36, 20],
      ["api", 170, 20],
      ["db", 304, 20],
    ],
  );
  assert.equal(layout.scale, 1);
});
