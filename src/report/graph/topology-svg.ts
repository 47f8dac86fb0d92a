/** The topology as an SVG picture, laid out by dagre. */
import stringWidth from "string-width";
import { formatBytes, visible } from "../../format.js";
import { cutMiddle } from "../../view/cut.js";
import { layOutTopology, type PlacedEdge, type PlacedNode, type Point } from "../../view/map/map-layout.js";
import { xmlText } from "../xml.js";
import { type Topology, topologyGraphOf } from "./topology.js";

/** Pixels; a map that is larger is scaled down, or loses its smallest edges. */
const WIDTH = 1400;
const HEIGHT = 1000;
const NODE_HEIGHT = 40;
const CHARACTER = 7.4;
const MAX_NAME = 40;
const MARGIN = 10;

export async function* renderSvg(topology: Topology): AsyncIterable<string> {
  const layout = await layOutTopology(
    topologyGraphOf(topology),
    {
      nodeWidth: ({ name }) => Math.max(90, stringWidth(nameText(name)) * CHARACTER + 24),
      nodeHeight: NODE_HEIGHT,
      labelWidth: ({ bytes }) => formatBytes(bytes).length * 6.5,
      labelHeight: 14,
    },
    WIDTH,
    HEIGHT,
  );
  const width = Math.ceil(layout.width * layout.scale) + 2 * MARGIN;
  const height = Math.ceil(layout.height * layout.scale) + 2 * MARGIN;
  yield `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">\n`;
  yield `<title>Topology</title>\n<defs><marker id="to" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="#4a6785"/></marker></defs>\n`;
  yield `<rect width="100%" height="100%" fill="#fff"/>\n<g transform="translate(${MARGIN} ${MARGIN}) scale(${short(layout.scale)})">\n`;
  for (const edge of layout.edges) yield drawEdge(edge);
  for (const node of layout.nodes) yield drawNode(node);
  for (const edge of layout.edges) yield drawLabel(edge);
  yield "</g>\n</svg>\n";
}

function drawEdge({ points, mutual, bytes, client, server }: PlacedEdge): string {
  const title = xmlText(`${nameText(client)} to ${nameText(server)}: ${formatBytes(bytes)}`);
  const both = mutual ? ' marker-start="url(#to)"' : "";
  return `<path d="${pathOf(points)}" fill="none" stroke="#4a6785" stroke-width="1.2" marker-end="url(#to)"${both}><title>${title}</title></path>\n`;
}

function pathOf(points: readonly Point[]): string {
  return points.map(({ x, y }, i) => `${i === 0 ? "M" : "L"}${short(x)} ${short(y)}`).join("");
}

function drawNode({ x, y, width, height, name, bytes }: PlacedNode): string {
  const box = `<rect x="${short(x - width / 2)}" y="${short(y - height / 2)}" width="${short(width)}" height="${short(height)}" rx="5" fill="#eef3f8" stroke="#4a6785"/>`;
  const text = (dy: number, what: string, looks: string) =>
    `<text x="${short(x)}" y="${short(y + dy)}" text-anchor="middle"${looks}>${xmlText(what)}</text>`;
  return `${box}${text(-3, nameText(name), ' font-weight="bold"')}${text(12, formatBytes(bytes), ' fill="#555"')}\n`;
}

function drawLabel({ label, bytes }: PlacedEdge): string {
  if (label === null) return "";
  return `<text x="${short(label.x)}" y="${short(label.y + 4)}" text-anchor="middle" font-size="11" stroke="#fff" stroke-width="3" paint-order="stroke" fill="#333">${xmlText(formatBytes(bytes))}</text>\n`;
}

function nameText(name: string): string {
  return cutMiddle(visible(name), MAX_NAME);
}

function short(n: number): string {
  return String(Math.round(n * 10) / 10);
}
