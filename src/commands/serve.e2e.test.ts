import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { parse } from "yaml";
import type { Snapshot } from "../analyze/snapshot.js";
import { type BridgeLab, createBridge, sleep, udpFrame } from "../capture/live.test.fixture.js";
import { reasonToSkip, TestNetwork } from "../capture/netns.test.fixture.js";
import { Daemon, Exporter, freePort, query, sumOf, until } from "./serve.test.fixture.js";
import { ROOT } from "./terminal.test.fixture.js";

const SERVICES = join(ROOT, "services");
/** What a label must survive. */
const HOSTILE = 'd"b\\,{x="y"}\n\u001b[31m\u202e';

let network: TestNetwork;
let lab: BridgeLab;
let folder: string;
let daemons: Daemon[];

function open(): void {
  network = new TestNetwork();
  lab = createBridge(network);
  folder = mkdtempSync(join(tmpdir(), "netwatch-serve-"));
  daemons = [];
  writeFileSync(join(folder, "names.json"), JSON.stringify({ web: "10.9.0.1", [HOSTILE]: "10.9.0.2" }));
}

async function close(): Promise<void> {
  for (const daemon of daemons) await daemon.stop("SIGKILL");
  lab.close();
  await network.close();
  rmSync(folder, { recursive: true });
}

async function startExporter(...words: readonly string[]): Promise<Exporter> {
  const exporter = await Exporter.start(folder, ["-i", "br0", "--netns", lab.bridge, ...words]);
  daemons.push(exporter);
  return exporter;
}

/** 20 connections of 3,000 bytes to the other end, and 5 echo requests. */
async function makeTraffic(): Promise<void> {
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
  network.run(a, "ping", ["-q", "-c", "5", "-i", "0.02", "10.9.0.2"]);
}

describe("serve: a real Prometheus", {
  skip: reasonToSkip("prometheus", "prometheus-alertmanager", "ping"),
}, () => {
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
    open();
    first = await startExporter("--names", "names.json");
    second = await startExporter("--names", "names.json");
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    alertmanager = await startAlertmanager((receiver.address() as AddressInfo).port);
    prometheus = await startPrometheus([first.instance, second.instance], alertmanager);
  });
  after(async () => {
    receiver.close();
    await close();
  });

  test("its answers are the Snapshot's numbers, hostile names and all", async () => {
    await until(async () => (await query(prometheus, 'up{job="netwatch"} == 1')).length === 2);
    await makeTraffic();
    const snapshot = await settled(first);
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
    assert.equal(sum(await of("netwatch_edge_connections_opened_total")), 20);
    assert.equal(sum(await of("netwatch_capture_residual_ratio")), 0);
  });

  test("every query of every dashboard and rule is answered, and most have something to say", async () => {
    const empty: string[] = [];
    const queries = allQueries();
    for (const expr of queries) if ((await query(prometheus, expr)).length === 0) empty.push(expr);
    assert.ok(queries.length > 60);
    const expected = /conntrack|health|connections_active|> 0|== 0|> 1|> 0\.|> 100|unless/;
    assert.deepEqual(
      empty.filter((expr) => !expected.test(expr)),
      [],
    );
  });

  test("a conversation that two exporters saw counts once in the rules for many hosts", async () => {
    await makeTraffic();
    const recorded = "sum(netwatch:edge_sent_bytes:rate5m)";
    await until(async () => (await query(prometheus, `${recorded} > 0`)).length === 1);
    const rates = await query(prometheus, "sum by (instance) (rate(netwatch_edge_sent_bytes_total[5m]))");
    const ofAll = sum(await query(prometheus, recorded));
    assert.equal(rates.length, 2);
    const most = Math.max(...rates.map(({ value }) => value));
    assert.ok(ofAll < 1.5 * most, `${ofAll} of ${most}`);
  });

  test("an exporter that goes away is an alert at the Alertmanager, and somebody is told", async () => {
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
    const text = readFileSync(join(SERVICES, "prometheus/alertmanager.yml"), "utf8");
    writeFileSync(
      join(folder, "alertmanager.yml"),
      text
        .replaceAll("127.0.0.1:9094", `127.0.0.1:${webhook}`)
        .replaceAll(/group_wait: \d+s/g, "group_wait: 1s"),
    );
    const flags = ["config.file=alertmanager.yml", "storage.path=alerts", "cluster.listen-address="];
    const words = [...flags, `web.listen-address=127.0.0.1:${port}`, "log.level=error"];
    daemons.push(
      new Daemon(
        "prometheus-alertmanager",
        words.map((word) => `--${word}`),
        folder,
      ),
    );
    await until(() => isUp(`http://127.0.0.1:${port}/-/ready`));
    return `http://127.0.0.1:${port}`;
  }

  async function startPrometheus(targets: readonly string[], notify: string): Promise<string> {
    const port = await freePort();
    const rules = (name: string) => {
      const text = readFileSync(join(SERVICES, "prometheus", name), "utf8");
      writeFileSync(join(folder, name), text.replaceAll(/for: \d+m/g, "for: 1s"));
    };
    rules("rules.yml");
    rules("edges.rules.yml");
    const text = readFileSync(join(SERVICES, "prometheus/prometheus.yml"), "utf8");
    writeFileSync(
      join(folder, "prometheus.yml"),
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
    const words = [...flags, "log.level=error"].map((word) => `--${word}`);
    daemons.push(new Daemon("prometheus", words, folder));
    await until(() => isUp(`http://127.0.0.1:${port}/-/ready`));
    return `http://127.0.0.1:${port}`;
  }
});

describe("serve: a flood", { skip: reasonToSkip("ping") }, () => {
  before(open);
  after(close);

  test("100,000 spoofed sources stay within the page and the memory, every packet is counted, and the page comes", async () => {
    const SOURCES = 100_000;
    const NAMED = 2_000;
    const named = Array.from({ length: NAMED }, (_, i) => [`host-${i}`, `10.20.${i >> 8}.${i & 255}`]);
    writeFileSync(join(folder, "many.json"), JSON.stringify(Object.fromEntries(named)));
    const limits = ["--max-series", "1000", "--max-flows", "20000", "--names", "many.json"];
    const exporter = await startExporter(...limits);
    const before = await exporter.page();
    const pages: Promise<unknown>[] = [];
    for (let i = 0; i < SOURCES; i++) {
      lab.a.send(spoofed(i));
      if (i % 2_000 === 0) await sleep(1);
      if (i % 20_000 === 0) pages.push(exporter.page());
    }
    await Promise.all(pages);
    let page = before;
    await until(async () => {
      page = await exporter.page();
      const lost = sumOf(page, "netwatch_capture_dropped_packets_total");
      return sumOf(page, "netwatch_traffic_packets_total", "udp") + lost >= SOURCES;
    });
    assert.ok(page.length <= 1000, `${page.length} samples`);
    assert.ok(sumOf(page, "netwatch_series_overflow_total") > 0);
    assert.ok(sumOf(page, "netwatch_conversations_evicted_total") > 0);
    assert.ok(sumOf(page, "netwatch_edge_sent_packets_total", 'source="~other"') > 0);
    const edges = ["sent", "received"].map((way) => sumOf(page, `netwatch_edge_${way}_packets_total`));
    assert.equal(edges[0]! + edges[1]!, sumOf(page, "netwatch_traffic_packets_total", "udp"));
    assert.ok(sumOf(page, "process_resident_memory_bytes") < 400e6);
    assert.equal(await exporter.stop(), 0);
  });

  /** From a source of its own, of 2,000 some have a name. The last two bytes of the payload take up the checksum's change. */
  function spoofed(i: number): Uint8Array {
    const frame = udpFrame(53, 32);
    const view = new DataView(frame.buffer, frame.byteOffset);
    const address = i % 10 === 0 ? 0x0a14_0000 + ((i / 10) % 2_000) : 0x0b00_0000 + i;
    const [ip, identification, source] = [14, 18, 26];
    const before = view.getUint16(ip + 12) + view.getUint16(ip + 14);
    view.setUint32(source, address);
    const change = before - view.getUint16(ip + 12) - view.getUint16(ip + 14);
    view.setUint16(identification, (((view.getUint16(identification) + change) % 0xffff) + 0xffff) % 0xffff);
    return frame;
  }

  test("where the interface goes away the exporter says so and ends with 4", async () => {
    const exporter = await startExporter();
    const ended = once(exporter.child, "exit");
    network.ip(lab.bridge, "link del br0");
    await ended;
    assert.equal(exporter.child.exitCode, 4);
    assert.match(exporter.said, /br0/);
  });
});

describe("serve: TLS and users", { skip: reasonToSkip("openssl", "curl", "promtool") }, () => {
  before(open);
  after(close);

  test("only the right certificate with the right password is let in; both are read again without a restart", async () => {
    const { hashSync } = await import("bcryptjs");
    const say = (user: string, password: string) =>
      writeFileSync(
        join(folder, "web.yml"),
        `${TLS}basic_auth_users:\n  ${user}: ${hashSync(password, 4)}\n`,
      );
    makeCertificates();
    say("alice", "first");
    execFileSync("promtool", ["check", "web-config", join(folder, "web.yml")], { stdio: "ignore" });
    const shop = join(ROOT, "fixtures/shop.pcapng");
    const exporter = await Exporter.start(folder, ["-r", shop, "--web.config.file", "web.yml", "-Z", "root"]);
    daemons.push(exporter);
    const { url } = exporter;
    assert.match(url, /^https:/);
    const right = ["--cert", "client.pem", "--key", "client.key"];
    assert.equal(curl(url, right, "alice:first"), 200);
    assert.equal(curl(url, right, "alice:wrong"), 401);
    assert.equal(curl(url, right, "mallory:first"), 401);
    assert.equal(curl(url, right), 401);
    assert.equal(curl(url, [], "alice:first"), 0, "no certificate");
    assert.equal(
      curl(url, ["--cert", "other.pem", "--key", "other.key"], "alice:first"),
      0,
      "another's certificate",
    );
    assert.equal(curl(url.replace("https", "http"), [], "alice:first"), 0, "no TLS");
    say("alice", "second");
    exporter.child.kill("SIGHUP");
    await until(() => exporter.said.includes("read again"));
    assert.equal(curl(url, right, "alice:second"), 200);
    assert.equal(curl(url, right, "alice:first"), 401);
    writeFileSync(join(folder, "web.yml"), "nonsense: [");
    await until(() => exporter.said.includes("stays in use"));
    assert.equal(curl(url, right, "alice:second"), 200);
    assert.equal(await exporter.stop(), 0);
  });

  const TLS =
    "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";

  /** The HTTP status; 0: there was no answer. */
  function curl(url: string, words: readonly string[], user = ""): number {
    const more = user === "" ? [] : ["-u", user];
    const common = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", "ca.pem", "--max-time", "5"];
    try {
      const out = execFileSync("curl", [...common, ...more, ...words, `${url}/metrics`], {
        cwd: folder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return Number(out);
    } catch {
      return 0;
    }
  }

  function makeCertificates(): void {
    const openssl = (...words: string[]) => execFileSync("openssl", words, { cwd: folder, stdio: "ignore" });
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const name = (text: string) => ["-subj", `/CN=${text}`, "-addext", "subjectAltName=IP:127.0.0.1"];
    openssl("req", "-x509", ...curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca");
    for (const end of ["server", "client"])
      openssl(
        "req",
        "-x509",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        ...curve,
        "-keyout",
        `${end}.key`,
        "-out",
        `${end}.pem`,
        ...name(end),
      );
    openssl("req", "-x509", ...curve, "-keyout", "other.key", "-out", "other.pem", ...name("other"));
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

/** The Snapshot when two looks a while apart are the same. */
async function settled(exporter: Exporter): Promise<Snapshot> {
  const look = async () => (await (await fetch(`${exporter.url}/snapshot`)).json()) as Snapshot;
  let last = await look();
  await until(async () => {
    await sleep(700);
    const now = await look();
    const isSame = now.totals.packets === last.totals.packets && now.totals.packets > 0;
    last = now;
    return isSame;
  });
  return last;
}

/** Of the dashboards and the rules, as Prometheus gets them. */
function allQueries(): string[] {
  const dashboards = readdirSync(join(SERVICES, "grafana")).filter((name) => name.endsWith(".json"));
  const panels = dashboards.flatMap((name) => {
    const { panels: all } = JSON.parse(readFileSync(join(SERVICES, "grafana", name), "utf8")) as {
      panels: { targets: { expr: string }[] }[];
    };
    return all.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  });
  const rules = ["rules.yml", "edges.rules.yml"].flatMap((name) => {
    const text = readFileSync(join(SERVICES, "prometheus", name), "utf8");
    return (parse(text) as { groups: { rules: { expr: string }[] }[] }).groups.flatMap((group) =>
      group.rules.map(({ expr }) => expr),
    );
  });
  const fill = (expr: string) =>
    expr.replaceAll("$__rate_interval", "5m").replace(/\$(?:instance|service|netns)\b/g, ".*");
  return [...panels.map(fill), ...rules];
}
