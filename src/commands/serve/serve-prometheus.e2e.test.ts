import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip } from "../../capture/kernel/netns.test.fixture.js";
import { until } from "../../until.test.fixture.js";
import { ROOT } from "../terminal.test.fixture.js";
import { type Exporter, freePort, query, ServeLab, sumOf } from "./serve.test.fixture.js";

const DEPLOY = join(ROOT, "deploy");
/** What a label must survive. */
const HOSTILE = 'd"b\\,{x="y"}\n\u001b[31m\u202e';

/** 20 connections of 3,000 bytes to the other end, 20 HTTP requests of which 5 fail, and 5 echo requests. */
async function makeTraffic({ network, bridge: lab }: ServeLab): Promise<void> {
  const [a, b] = lab.ends;
  const server = await network.start(
    b,
    `require("net").createServer((c) => c.on("data", () => c.end("pong"))).listen(5432, "10.9.0.2", () => console.log());`,
  );
  network.script(
    a,
    `const connect = (left) => left > 0 && require("net").connect(5432, "10.9.0.2")
      .on("data", () => {}).on("close", () => connect(left - 1)).end(Buffer.alloc(3000));
    connect(20);`,
  );
  server.kill();
  const web = await network.start(
    b,
    `let n = 0; require("http").createServer((q, r) => { r.statusCode = n++ % 4 === 0 ? 503 : 200; r.end("pong"); })
      .listen(80, "10.9.0.2", () => console.log());`,
  );
  network.script(
    a,
    `const get = (left) => left > 0 && require("http").get({ host: "10.9.0.2", path: "/orders", agent: false }, (r) =>
      r.resume().on("close", () => get(left - 1)));
    get(20);`,
  );
  web.kill();
  network.run(a, "ping", ["-q", "-c", "5", "-i", "0.02", "10.9.0.2"]);
}

describe("serve: a real Prometheus", {
  skip: reasonToSkip("prometheus", "prometheus-alertmanager", "ping"),
}, () => {
  let lab: ServeLab;
  let first: Exporter;
  let second: Exporter;
  let prometheus: string;
  let alertmanager: string;
  const notices: string[] = [];
  const receiver = createServer((request, response) => {
    notices.push(request.url!);
    request.resume();
    response.end();
  });

  before(async () => {
    lab = new ServeLab();
    lab.write("names.json", JSON.stringify({ web: "10.9.0.1", [HOSTILE]: "10.9.0.2" }));
    first = await lab.serve("--names", "names.json");
    second = await lab.serve("--names", "names.json");
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    alertmanager = await startAlertmanager((receiver.address() as AddressInfo).port);
    prometheus = await startPrometheus([first.instance, second.instance], alertmanager);
  });
  after(async () => {
    receiver.close();
    await lab.close();
  });

  test("its answers are the Snapshot's numbers, hostile names and all", async () => {
    await until(async () => (await query(prometheus, 'up{job="netwatch"} == 1')).length === 2);
    await lab.bridge.passing(() => makeTraffic(lab));
    const snapshot = await caughtUp(first, lab);
    const of = (metric: string) => query(prometheus, `${metric}{instance="${first.instance}"}`);
    await until(async () => sum(await of("netwatch_traffic_packets_total")) === snapshot.totals.packets);
    const [sent, received] = [
      await of("netwatch_edge_sent_bytes_total"),
      await of("netwatch_edge_received_bytes_total"),
    ];
    const names = new Set(sent.flatMap(({ metric }) => [metric.source, metric.destination]));
    const other = 'd"b\\,{x="y"}\\x0a\\x1b[31m\\u202e';
    assert.deepEqual(names, new Set(["web", other]));
    const bytes = (from: string, to: string) =>
      sum(sent.filter(({ metric }) => metric.source === from && metric.destination === to)) +
      sum(received.filter(({ metric }) => metric.source === to && metric.destination === from));
    const label = (name: unknown) => (name === "web" ? "web" : other);
    for (const row of snapshot.tables.pairs.rows)
      assert.equal(bytes(label(row.source), label(row.destination)), row.bytes);
    const total = async (metric: string) => sum(await of(`netwatch_edge_${metric}`));
    assert.equal(await total("connections_opened_total"), 40);
    assert.equal(await total("connections_failed_total"), 0);
    assert.equal(await total("tcp_handshake_seconds_count"), 40);
    assert.equal(await total("requests_total"), 20);
    assert.equal(await total("request_errors_total"), 5);
    assert.equal(await total("request_duration_seconds_count"), 20);
    assert.equal(sum(await of("netwatch_capture_residual_ratio")), 0);
  });

  test("every query of every dashboard and rule is answered, and most have something to say", async () => {
    const queries = allQueries();
    assert.ok(queries.length > 60);
    const mayBeEmpty = /conntrack|evidence|health|connections_active|> 0|== 0|> 1|> 0\.|> 100|unless/;
    let silent: string[] = [];
    // A rate takes two scrapes.
    await until(async () => {
      const answers = await Promise.all(queries.map((expr) => query(prometheus, expr)));
      silent = queries.filter((expr, i) => answers[i]!.length === 0 && !mayBeEmpty.test(expr));
      return silent.length === 0;
    }).catch(() => assert.deepEqual(silent, []));
  });

  test("a conversation that two exporters saw counts once in the rules for many hosts", async () => {
    await lab.bridge.passing(() => makeTraffic(lab));
    await caughtUp(first, lab);
    await caughtUp(second, lab);
    const pages = [await first.page(), await second.page()];
    for (const metric of ["edge_sent_bytes", "edge_received_bytes", "edge_connections_opened"]) {
      const [a, b] = pages.map((page) => sumOf(page, `netwatch_${metric}_total`));
      assert.ok(a! > 0);
      assert.equal(a, b, `${metric}: both see the whole bridge`);
      // The rule, of the counters themselves: a rate depends on when each was read.
      const ofCounters = expressionOf(`netwatch:${metric}:rate5m`).replace(/rate\((\w+)\[5m\]\)/, "$1");
      assert.doesNotMatch(ofCounters, /rate/);
      await until(async () => sum(await query(prometheus, ofCounters)) === a);
      await until(async () => (await query(prometheus, `netwatch:${metric}:rate5m > 0`)).length > 0);
    }
  });

  test("an exporter that goes away is an alert at the Alertmanager, and a notification is sent", async () => {
    assert.equal(await second.stop(), 0);
    const isFiring = async () => {
      const response = await fetch(`${alertmanager}/api/v2/alerts`);
      const alerts = (await response.json()) as {
        labels: Record<string, string>;
        status: { state: string };
      }[];
      return alerts.some(
        ({ labels, status }) =>
          labels.alertname === "NetwatchDown" &&
          labels.instance === second.instance &&
          status.state === "active",
      );
    };
    await until(isFiring);
    await until(() => notices.includes("/on-call"));
  });

  async function startAlertmanager(webhook: number): Promise<string> {
    const port = await freePort();
    const text = readFileSync(join(DEPLOY, "prometheus/alertmanager.yml"), "utf8");
    lab.write(
      "alertmanager.yml",
      text
        .replaceAll("127.0.0.1:9094", `127.0.0.1:${webhook}`)
        .replaceAll(/group_wait: \d+s/g, "group_wait: 1s"),
    );
    const flags = ["config.file=alertmanager.yml", "storage.path=alerts", "cluster.listen-address="];
    const words = [...flags, `web.listen-address=127.0.0.1:${port}`, "log.level=error"];
    lab.start("prometheus-alertmanager", words);
    await until(() => isUp(`http://127.0.0.1:${port}/-/ready`));
    return `http://127.0.0.1:${port}`;
  }

  async function startPrometheus(targets: readonly string[], notify: string): Promise<string> {
    const port = await freePort();
    const rules = (name: string) => {
      const text = readFileSync(join(DEPLOY, "prometheus", name), "utf8");
      lab.write(name, text.replaceAll(/for: \d+m/g, "for: 1s"));
    };
    rules("rules.yml");
    rules("edges.rules.yml");
    const text = readFileSync(join(DEPLOY, "prometheus/prometheus.yml"), "utf8");
    lab.write(
      "prometheus.yml",
      text
        .replaceAll("_interval: 15s", "_interval: 1s")
        .replace('["127.0.0.1:9810"]', JSON.stringify(targets))
        .replace("127.0.0.1:9093", new URL(notify).host),
    );
    const flags = [
      "config.file=prometheus.yml",
      "storage.tsdb.path=tsdb",
      `web.listen-address=127.0.0.1:${port}`,
    ];
    const words = [...flags, "log.level=error"];
    lab.start("prometheus", words);
    await until(() => isUp(`http://127.0.0.1:${port}/-/ready`));
    return `http://127.0.0.1:${port}`;
  }
});

function sum(answers: readonly { readonly value: number }[]): number {
  return answers.reduce((total, { value }) => total + value, 0);
}

async function isUp(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok;
  } catch {
    return false;
  }
}

/** The Snapshot once it has every packet that the bridge has: both began before the first. */
async function caughtUp(exporter: Exporter, { bridge }: ServeLab): Promise<Snapshot> {
  let last: Snapshot | undefined;
  await until(async () => {
    last = (await (await fetch(`${exporter.url}/snapshot`)).json()) as Snapshot;
    return last.totals.packets === bridge.received();
  });
  return last!;
}

/** What a rule for many hosts records. */
function expressionOf(record: string): string {
  const { groups } = parse(readFileSync(join(DEPLOY, "prometheus/edges.rules.yml"), "utf8")) as {
    groups: { rules: { record: string; expr: string }[] }[];
  };
  return groups.flatMap(({ rules }) => rules).find((rule) => rule.record === record)!.expr;
}

/** Of the dashboards and the rules, as Prometheus gets them. */
function allQueries(): string[] {
  const dashboards = readdirSync(join(DEPLOY, "grafana")).filter((name) => name.endsWith(".json"));
  const panels = dashboards.flatMap((name) => {
    const { panels: all } = JSON.parse(readFileSync(join(DEPLOY, "grafana", name), "utf8")) as {
      panels: { targets: { expr: string }[] }[];
    };
    return all.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  });
  const rules = ["rules.yml", "edges.rules.yml"].flatMap((name) => {
    const text = readFileSync(join(DEPLOY, "prometheus", name), "utf8");
    return (parse(text) as { groups: { rules: { expr: string }[] }[] }).groups.flatMap((group) =>
      group.rules.map(({ expr }) => expr),
    );
  });
  const fill = (expr: string) =>
    expr.replaceAll("$__rate_interval", "5m").replace(/\$(?:instance|service|netns)\b/g, ".*");
  return [...panels.map(fill), ...rules];
}
