import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { reasonToSkip } from "../../capture/kernel/netns.test.fixture.js";
import { udpFrame } from "../../capture/live/live.test.fixture.js";
import { until } from "../../until.test.fixture.js";
import { ROOT } from "../terminal.test.fixture.js";
import { Exporter, freePort, ServeLab, sumOf } from "./serve.test.fixture.js";

describe("serve: a flood", { skip: reasonToSkip("conntrack", "sysctl") }, () => {
  let lab: ServeLab;
  before(() => {
    lab = new ServeLab();
  });
  after(() => lab.close());

  test("100,000 spoofed sources stay within the page and the memory, every packet is counted, and the page comes", async () => {
    const SOURCES = 100_000;
    const NAMED = 2_000;
    const named = Array.from({ length: NAMED }, (_, i) => [`host-${i}`, `10.20.${i >> 8}.${i & 255}`]);
    lab.write("many.json", JSON.stringify(Object.fromEntries(named)));
    const limits = ["--max-series", "1000", "--max-flows", "20000", "--names", "many.json"];
    const exporter = await lab.serve(...limits);
    const before = await exporter.page();
    const pages: Promise<unknown>[] = [];
    for (let i = 0; i < SOURCES; i++) {
      lab.bridge.a.send(spoofed(i));
      if (i % 2_000 === 0) await setTimeout(1); // so that pages are asked for meanwhile
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

  test("connection tracking is on the page, by state and against its limit, also once root is given up", async () => {
    lab.network.track(lab.bridge.bridge, 60);
    const exporter = await lab.serve();
    let page = await exporter.page();
    const entries = () => sumOf(page, "netwatch_conntrack_entries_used");
    await until(async () => {
      page = await exporter.page();
      return entries() > 0 && sumOf(page, "netwatch_polls_total", "conntrack") > 0;
    });
    assert.equal(entries(), 60);
    assert.equal(sumOf(page, "netwatch_conntrack_entries", 'protocol="tcp",state="established"'), 40);
    assert.ok(sumOf(page, "netwatch_conntrack_entries_limit") > 60);
    assert.ok(sumOf(page, "netwatch_flow_evidence_conversations", "conntrack-only") > 0);
    const { Uid, CapPrm } = statusOf(exporter.child.pid!);
    assert.match(Uid!, /^65534\b/);
    assert.equal(CapPrm, "0000000000000000");
    assert.equal(await exporter.stop(), 0);
  });

  test("the snapshot has connection tracking and the name sources that fail; SIGHUP reads the names again", async () => {
    lab.write("names.json", '{"before": "10.77.0.1"}');
    const registry = `http://127.0.0.1:${await freePort()}`;
    const exporter = await lab.serve("--registry", registry, "--names", "names.json", "-Z", "root");
    const snapshot = async () => (await (await fetch(`${exporter.url}/snapshot`)).json()) as Snapshot;
    await until(async () => ((await snapshot()).ledger.name_sources ?? []).length > 0);
    const { ledger, conntrack } = await snapshot();
    assert.ok(ledger.name_sources!.some(({ source, failing }) => source.startsWith(registry) && failing));
    assert.equal(conntrack!.connections.rows.length, 60);
    assert.equal(conntrack!.namespaces.length, 1);
    lab.write("names.json", "nonsense: [");
    exporter.child.kill("SIGHUP");
    await until(() => exporter.said.includes("the names before stay in use"));
    lab.write("names.json", '{"after": "10.77.0.1"}');
    exporter.child.kill("SIGHUP");
    await until(() => exporter.said.includes("the names file was read again"));
    assert.equal(await exporter.stop(), 0);
  });

  test("--health puts on the page whether the services of the names file serve", async () => {
    lab.write("health.json", JSON.stringify({ silent: `127.0.0.1:${await freePort()}` }));
    const exporter = await lab.serve("--names", "health.json", "--health");
    let page = await exporter.page();
    await until(async () => {
      page = await exporter.page();
      return page.some(({ name }) => name === "netwatch_health_up");
    });
    assert.equal(sumOf(page, "netwatch_health_up", 'target="silent"'), 0);
    assert.equal(await exporter.stop(), 0);
  });

  test("where the interface goes away the page comes and says so, until it is back; without its namespace the exporter ends with 4", async () => {
    const exporter = await lab.serve();
    const { bridge, a } = lab.bridge;
    const isUp = async (up: number) => sumOf(await exporter.page(), "netwatch_capture_up") === up;
    const packets = async () => sumOf(await exporter.page(), "netwatch_capture_packets_total");
    assert.ok(await isUp(1));
    lab.network.ip(bridge, "link del br0");
    await until(() => isUp(0));
    await until(() => exporter.said.includes("br0 gives no more packets: the interface is gone\n"));
    assert.equal(sumOf(await exporter.page(), "netwatch_capture_complete"), 0);
    const before = await packets();
    lab.network.ip(bridge, "link add br0 type bridge mcast_snooping 0");
    lab.network.ip(bridge, "link set br0 up");
    lab.network.ip(bridge, "link set port0 master br0");
    await until(() => isUp(1));
    await until(() => exporter.said.includes("br0 is back; packets meanwhile are missing\n"));
    a.send(udpFrame(53, 32));
    await until(async () => (await packets()) > before);
    assert.equal(exporter.said.match(/gives no more packets/g)?.length, 1, "said once");
    const ended = once(exporter.child, "exit");
    execFileSync("umount", [`/run/netns/${bridge}`]);
    await ended;
    assert.equal(exporter.child.exitCode, 4);
    assert.match(exporter.said, /the network namespace nw\w+ is gone/);
  });
});

describe("serve: TLS and users", { skip: reasonToSkip("openssl", "curl", "promtool") }, () => {
  let lab: ServeLab;
  before(() => {
    lab = new ServeLab();
  });
  after(() => lab.close());

  test("only the right certificate with the right password is let in; both are read again without a restart", async () => {
    const { hashSync } = await import("bcryptjs");
    const say = (user: string, password: string) =>
      lab.write("web.yml", `${TLS}basic_auth_users:\n  ${user}: ${hashSync(password, 4)}\n`);
    makeCertificates();
    say("alice", "first");
    execFileSync("promtool", ["check", "web-config", join(lab.folder, "web.yml")], { stdio: "ignore" });
    const shop = join(ROOT, "fixtures/shop.pcapng");
    const exporter = await Exporter.start(lab.folder, [
      "-r",
      shop,
      "--web.config.file",
      "web.yml",
      "-Z",
      "root",
    ]);
    lab.keep(exporter);
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
    const before = certificateOf(url);
    signCertificate("server");
    await until(() => certificateOf(url) !== before);
    assert.equal(curl(url, right, "alice:second"), 200);
    lab.write("web.yml", "nonsense: [");
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
        cwd: lab.folder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
      return Number(out);
    } catch {
      return 0;
    }
  }

  const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];

  function makeCertificates(): void {
    openssl("req", "-x509", ...CURVE, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca");
    for (const end of ["server", "client"]) signCertificate(end);
    openssl("req", "-x509", ...CURVE, "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=other");
  }

  function signCertificate(end: string): void {
    const signer = ["-x509", "-CA", "ca.pem", "-CAkey", "ca.key"];
    const name = ["-subj", `/CN=${end}`, "-addext", "subjectAltName=IP:127.0.0.1"];
    openssl("req", ...signer, ...CURVE, "-keyout", `${end}.key`, "-out", `${end}.pem`, ...name);
  }

  /** The certificate that the server shows. */
  function certificateOf(url: string): string {
    const client = ["-cert", "client.pem", "-key", "client.key"];
    const text = openssl("s_client", "-connect", new URL(url).host, ...client);
    return /-----BEGIN CERTIFICATE-----[^-]+/.exec(text)![0];
  }

  function openssl(...words: string[]): string {
    return execFileSync("openssl", words, {
      cwd: lab.folder,
      encoding: "utf8",
      input: "",
      stdio: ["pipe", "pipe", "ignore"],
    });
  }
});

/** The lines of /proc/PID/status. */
function statusOf(pid: number): Record<string, string> {
  const lines = readFileSync(`/proc/${pid}/status`, "utf8").split("\n");
  return Object.fromEntries(lines.map((line) => line.split(":\t")));
}
