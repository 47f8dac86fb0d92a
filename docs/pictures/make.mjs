/** Draws the pictures of README from the bundled capture: `npm run build && node docs/pictures/make.mjs`. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const path = (name) => new URL(name, import.meta.url);
const ROOT = path("../../").pathname;

const words = ["topology", "-r", "fixtures/shop.pcapng", "--names", "services/lab.json", "-o", "svg"];
writeFileSync(path("map.svg"), execFileSync(`${ROOT}netwatch`, words, { cwd: ROOT }));

// The screen as the monitor's test pins it.
const golden = readFileSync(path("../../fixtures/golden/tui.120x40.txt"), "utf8");
const screen = golden.split(/^== /m).find((part) => part.startsWith("applications\n"));
const lines = screen.split("\n").slice(1, 41);
const [cell, line] = [7.8, 17];
const xml = (text) => text.replace(/[&<>]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const texts = lines
  .map((text, i) => `<text x="14" y="${26 + i * line}" xml:space="preserve">${xml(text)}</text>`)
  .join("\n");
const [width, height] = [Math.ceil(28 + 120 * cell), 30 + lines.length * line];
writeFileSync(
  path("monitor.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="The monitor, screen Applications">
<rect width="100%" height="100%" rx="8" fill="#1c1f24"/>
<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" fill="#d6dae0">
${texts}
</g>
</svg>
`,
);
