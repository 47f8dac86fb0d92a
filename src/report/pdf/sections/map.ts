/** The service map on the page. */
import type { Snapshot } from "../../../analyze/snapshot/snapshot.js";
import { formatBytes, formatCount, formatCounted, formatRatio } from "../../../format.js";
import { buildTopologyGraph, type TopologyNode, type WholeTopology } from "../../../view/map/map-graph.js";
import {
  layOutTopology,
  type PlacedEdge,
  type PlacedNode,
  type Point,
  type TopologyLayout,
} from "../../../view/map/map-layout.js";
import { SERVICE_COLOR } from "../../charts/palette.js";
import type { Sheet } from "../page/sheet.js";
import { COLOR, FLOOR, MEASURE, PAGE } from "../page/theme.js";
import type { Type } from "../page/type.js";

const NAME = { size: 7.5, bold: true } as const;
const FIGURE = { size: 6.8, color: COLOR.muted } as const;
const MAX_NAME_WIDTH = 138;
const NODE_HEIGHT = 27;
const LABEL_HEIGHT = 10;
const MAX_HEIGHT = 610;
const THINNEST = 0.6;
const THICKEST = 5.5;
const ARROW = 6;

export async function drawMapSection(sheet: Sheet, { tables }: Snapshot): Promise<void> {
  const { type } = sheet;
  const map = buildTopologyGraph(tables.pairs);
  const intro =
    "Each arrow points from the side that begins the conversations to the side that is called. Its width grows with the bytes of both directions.";
  if (map.nodes.length === 0) {
    sheet.section("Service map", "", 20);
    sheet.paragraph("No two services talk to each other in this capture.", { color: COLOR.muted });
    return;
  }
  const sizes = {
    nodeWidth: (node: TopologyNode) => {
      const name = Math.min(MAX_NAME_WIDTH, type.width(node.name, NAME));
      return Math.max(name, type.width(figure(node), FIGURE)) + 16;
    },
    nodeHeight: NODE_HEIGHT,
    labelWidth: (edge: { bytes: number }) => type.width(formatBytes(edge.bytes), FIGURE) + 6,
    labelHeight: LABEL_HEIGHT,
  };
  const layout = await layOutTopology(map, sizes, MEASURE, MAX_HEIGHT);
  const height = Math.min(MAX_HEIGHT, layout.height * layout.scale);
  sheet.section("Service map", intro, Math.min(height + 30, FLOOR - PAGE.top - 70));
  drawMap(sheet, layout);
  sheet.y += height;
  sheet.caption(describeExtent(map, layout));
}

/** The caption: what the map shows and omits. */
function describeExtent(map: WholeTopology, layout: TopologyLayout): string {
  const shown = layout.edges.length;
  const hidden = map.edges.length - shown;
  if (hidden === 0 && !map.partial)
    return shown <= 1 ? "Nothing is left out." : `All ${formatCount(shown)} pairs; nothing is left out.`;
  const bytes = layout.edges.reduce((total, edge) => total - edge.bytes, map.total);
  const pairs = map.partial ? `more than ${formatCounted(hidden, "pair")}` : formatCounted(hidden, "pair");
  return `The busiest pairs: ${formatCount(shown)}. Left out for legibility: ${pairs} with ${formatBytes(bytes)}, ${formatRatio(bytes / Math.max(1, map.total))} of the bytes of all pairs.`;
}

function figure({ bytes, within }: TopologyNode): string {
  return within > 0 ? `${formatBytes(bytes)}, ${formatBytes(within)} within` : formatBytes(bytes);
}

/** Draws the layout with its top at the sheet's `y`, centred in the text width. */
function drawMap(sheet: Sheet, layout: TopologyLayout): void {
  const { doc, type } = sheet;
  doc.save();
  doc.translate(PAGE.left + (MEASURE - layout.width * layout.scale) / 2, sheet.y);
  doc.scale(layout.scale);
  const most = Math.max(...layout.edges.map(({ bytes }) => bytes), 1);
  for (const edge of layout.edges.toReversed()) drawEdge(doc, edge, most);
  for (const { label, bytes } of layout.edges) {
    if (label === null) continue;
    const width = type.width(formatBytes(bytes), FIGURE) + 4;
    doc.rect(label.x - width / 2, label.y - LABEL_HEIGHT / 2, width, LABEL_HEIGHT).fill("#ffffff");
    type.line(formatBytes(bytes), label.x, label.y, {
      ...FIGURE,
      color: COLOR.ink,
      align: "center",
      baseline: "middle",
    });
  }
  for (const node of layout.nodes) drawNode(type, node);
  doc.restore();
}

function drawNode(type: Type, node: PlacedNode): void {
  const { doc } = type;
  const [left, top] = [node.x - node.width / 2, node.y - node.height / 2];
  doc.undash().lineWidth(0.8);
  doc.roundedRect(left, top, node.width, node.height, 3).fillAndStroke(COLOR.panel, SERVICE_COLOR);
  const name = type.fit(node.name, node.width - 10, NAME);
  type.line(name, node.x, top + 3.6, { ...NAME, align: "center" });
  type.line(figure(node), node.x, top + 14, { ...FIGURE, align: "center" });
}

function drawEdge(doc: PDFKit.PDFDocument, edge: PlacedEdge, most: number): void {
  const width = THINNEST + (THICKEST - THINNEST) * Math.sqrt(edge.bytes / most);
  const arrow = ARROW + width;
  const points = [...edge.points];
  const tip = points.at(-1)!;
  points[points.length - 1] = toward(tip, points.at(-2)!, arrow * 0.8);
  const tail = points[0]!;
  if (edge.mutual) points[0] = toward(tail, points[1]!, arrow * 0.8);
  doc.undash().lineWidth(width).lineCap("butt").lineJoin("round");
  curve(doc, points);
  doc.strokeOpacity(0.72).stroke(SERVICE_COLOR).strokeOpacity(1);
  drawArrow(doc, tip, edge.points.at(-2)!, arrow);
  if (edge.mutual) drawArrow(doc, tail, edge.points[1]!, arrow);
}

/** The point `distance` from `from` on the way to `to`. */
function toward(from: Point, to: Point, distance: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return {
    x: from.x + ((to.x - from.x) * distance) / length,
    y: from.y + ((to.y - from.y) * distance) / length,
  };
}

function drawArrow(doc: PDFKit.PDFDocument, tip: Point, from: Point, size: number): void {
  const base = toward(tip, from, size);
  const [dx, dy] = [((tip.y - base.y) / size) * size * 0.4, ((base.x - tip.x) / size) * size * 0.4];
  doc
    .moveTo(tip.x, tip.y)
    .lineTo(base.x + dx, base.y + dy)
    .lineTo(base.x - dx, base.y - dy)
    .closePath();
  doc.fill(SERVICE_COLOR);
}

/** A smooth line along the points: a uniform B-spline that begins at the first and ends at the last. */
function curve(doc: PDFKit.PDFDocument, points: readonly Point[]): void {
  const [first, second] = [points[0]!, points[1]!];
  doc.moveTo(first.x, first.y);
  if (points.length === 2) {
    doc.lineTo(second.x, second.y);
    return;
  }
  const part = (a: Point, b: Point, t: number) => ({ x: a.x + (b.x - a.x) * t, y: a.y + (b.y - a.y) * t });
  const knot = (i: number) =>
    part(part(points[i - 1]!, points[i]!, 2 / 3), part(points[i]!, points[i + 1]!, 1 / 3), 0.5);
  const last = points.length - 1;
  for (let i = 1; i <= last; i++) {
    const [a, b] = [points[i - 1]!, points[i]!];
    const [c1, c2, end] = [part(a, b, 1 / 3), part(a, b, 2 / 3), i < last ? knot(i) : b];
    doc.bezierCurveTo(c1.x, c1.y, c2.x, c2.y, end.x, end.y);
  }
}
