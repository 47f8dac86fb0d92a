/** The files under deploy/: valid by their own tools, and only about existing metrics. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { fullPage } from "./metrics/exposition.test.fixture.js";

const DEPLOY = fileURLToPath(new URL("../../../deploy/", import.meta.url));
const PROMETHEUS = join(DEPLOY, "prometheus");
const read = (path: string) => readFileSync(join(DEPLOY, path), "utf8");

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const rulesOf = (file: string) =>
  (parse(read(`prometheus/${file}`)) as { groups: { rules: Rule[] }[] }).groups.flatMap(({ rules }) => rules);
const RULES = [...rulesOf("rules.yml"), ...rulesOf("edges.rules.yml")];

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: object;
  readonly targets: readonly { readonly expr: string }[];
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

const DASHBOARDS = readdirSync(join(DEPLOY, "grafana"))
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(read(`grafana/${name}`)) as Dashboard);

/** A panel's query as Prometheus gets it. */
function filled(expr: string): string {
  return expr.replaceAll("$__rate_interval", "5m").replace(/\$(?:instance|service|netns)\b/g, ".*");
}

const QUERIES = [
  ...RULES.map(({ expr }) => expr),
  ...DASHBOARDS.flatMap(({ panels }) =>
    panels.flatMap(({ targets }) => targets.map(({ expr }) => filled(expr))),
  ),
];

function run(t: TestContext, command: string, words: readonly string[]): void {
  const { error, status, stdout, stderr } = spawnSync(command, words, { encoding: "utf8", cwd: PROMETHEUS });
  if (error) t.skip(`needs the program ${command}`);
  else assert.equal(status, 0, stdout + stderr);
}

test("promtool takes the rules and the configuration", (t) => {
  run(t, "promtool", ["check", "rules", "rules.yml", "edges.rules.yml"]);
  run(t, "promtool", ["check", "config", "prometheus.yml"]);
});

test("every alert fires where all is wrong and is silent where all is well", (t) => {
  run(t, "promtool", ["test", "rules", "rules.test.yml"]);
  const tested = read("prometheus/rules.test.yml");
  for (const { alert } of RULES)
    if (alert) assert.equal(tested.match(new RegExp(`alertname: ${alert}$`, "gm"))?.length, 2, alert);
});

test("amtool takes the Alertmanager's configuration", (t) =>
  run(t, "amtool", ["check-config", "alertmanager.yml"]));

test("systemd takes the unit", (t) => {
  run(t, "systemd-analyze", ["verify", "../systemd/netwatch.service"]);
});

test("every alert says what it is and where its cure stands", () => {
  const headings = new Set(
    [...read("prometheus/README.md").matchAll(/^### (\w+)$/gm)].map(([, name]) => name),
  );
  for (const { alert, annotations } of rulesOf("rules.yml")) {
    assert.deepEqual(Object.keys(annotations!), ["summary", "description", "runbook"]);
    assert.ok(headings.has(alert!), alert);
    assert.equal(annotations!.runbook, `deploy/prometheus/README.md#${alert!.toLowerCase()}`);
  }
});

test("every query of a dashboard or rule is PromQL", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-rules-"));
  const rules = QUERIES.map((expr, i) => ({ record: `query_${i}`, expr }));
  writeFileSync(join(folder, "queries.json"), JSON.stringify({ groups: [{ name: "queries", rules }] }));
  run(t, "promtool", ["check", "rules", join(folder, "queries.json")]);
  rmSync(folder, { recursive: true });
});

/** Names of metrics and labels on a page that has everything. */
async function catalogue(): Promise<{ metrics: Set<string>; labels: Set<string> }> {
  const metrics = new Set<string>();
  const labels = new Set<string>();
  for (const line of (await fullPage("text")).split("\n")) {
    if (line.startsWith("#") || line === "") continue;
    metrics.add(/^\w+/.exec(line)![0]);
    for (const [, label] of line.matchAll(/[{,](\w+)="/g)) labels.add(label!);
  }
  return { metrics, labels };
}

test("every query asks for metrics and labels that a page has", async () => {
  const { metrics, labels } = await catalogue();
  for (const query of QUERIES) {
    for (const [name] of query.matchAll(/\b(?:netwatch|process)_\w+/g))
      assert.ok(metrics.has(name), `${name}: ${query}`);
    const used = [
      ...[...query.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g)].map(([, label]) => label!),
      ...[...query.matchAll(/\b(?:by|on|without) \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(", ")),
    ];
    for (const label of used)
      assert.ok(
        labels.has(label) || ["instance", "job", "id", "title"].includes(label),
        `${label}: ${query}`,
      );
  }
});

test("every metric of a page is in the catalogue, and most are on a dashboard", async () => {
  const { metrics } = await catalogue();
  const text = read("prometheus/README.md").replace(
    /`(\w*)\{([^}]*)\}(\w*)(?:\{([^}]*)\})?(\w*)`/g,
    (_, a, b, c, d, e) =>
      b
        .split(",")
        .flatMap((x: string) => (d ?? "").split(",").map((y: string) => `\`${a}${x}${c}${y}${e}\``))
        .join(" "),
  );
  const missing = [...metrics].filter((name) => !name.startsWith("process_") && !text.includes(name));
  assert.deepEqual(missing, []);
  const shown = [...metrics].filter((name) => QUERIES.some((query) => query.includes(name)));
  assert.ok(
    shown.length > metrics.size * 0.9,
    [...metrics].filter((name) => !shown.includes(name)).join(" "),
  );
});

test("dashboards are Classic ones that can be imported anywhere: variables, a place for each panel, a fixed uid", () => {
  assert.deepEqual(
    DASHBOARDS.map(({ uid }) => uid),
    ["netwatch-capture", "netwatch-conntrack", "netwatch-overview", "netwatch-service"],
  );
  for (const { uid, panels, templating, schemaVersion } of DASHBOARDS) {
    assert.ok(schemaVersion >= 36);
    assert.deepEqual(
      templating.list.slice(0, 2).map(({ name }) => name),
      ["datasource", "instance"],
    );
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    for (const { title, gridPos, targets } of panels) {
      assert.ok(title !== "" && gridPos !== undefined && targets.length > 0, `${uid}: ${title}`);
      for (const { expr } of targets) assert.doesNotMatch(expr, /rate\([^[]*\[\d/, expr);
    }
  }
  assert.equal(
    DASHBOARDS.flatMap(({ panels }) => panels.filter(({ type }) => type === "nodeGraph")).length,
    1,
  );
});
