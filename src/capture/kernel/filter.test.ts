import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openFile } from "../file/bytes.js";
import { CaptureReader, readPackets } from "../file/file.js";
import { PacketFilter } from "../file/file-filter.js";
import { ethernet, ipv4, ipv6, tcp, udp, vlanTag } from "../file/sample.test.fixture.js";
import { CaptureError } from "../live/live.js";
import { packetOf } from "../packet.test.fixture.js";
import { compileFilter, encodeProgram, matchTagged, needsWholeFrames } from "./filter.js";

const FIXTURES = fileURLToPath(new URL("../../../../fixtures/", import.meta.url));

function libpcapIsMissing(): string | false {
  try {
    compileFilter("ip", 1, 65_535);
    return false;
  } catch {
    return "needs libpcap";
  }
}
const skip = libpcapIsMissing();
const noTcpdump =
  skip ||
  (!(process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, "tcpdump"))) &&
    "needs tcpdump");

async function count(file: string, filter: string): Promise<number> {
  const reader = await CaptureReader.open(file, openFile(join(FIXTURES, file)));
  const packetFilter = new PacketFilter(filter);
  let matches = 0;
  await readPackets(
    [reader],
    (packet) => {
      if (packetFilter.matches(packet)) matches++;
    },
    () => {},
  );
  reader.close();
  return matches;
}

for (const filter of [
  "tcp",
  "udp or icmp",
  "arp",
  "tcp port 5432",
  "tcp port 80 or tcp port 8080",
  "src net 10.0.0.0/24 and dst portrange 1024-65535",
  "not (host 10.0.0.10 or host 10.0.0.50)",
  "tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn",
  "ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) > 0",
  "len > 200 and less 1000",
  "ether broadcast",
  "ip6",
  "ip[8] % 7 = 1 or ip[4:2] * 3 / 2 > 90000",
  "tcp[4:4] ^ 0xffff > tcp[8:4]",
]) {
  test(`as many packets match as with tcpdump: ${filter}`, { skip: noTcpdump }, async () => {
    for (const file of ["shop.pcapng", "tiers.pcapng", "rotation.pcapng"]) {
      const printed = execFileSync("tcpdump", ["-n", "-t", "-q", "-r", join(FIXTURES, file), filter], {
        stdio: ["ignore", "pipe", "ignore"],
        maxBuffer: 256 * 1024 * 1024,
      });
      const lines = printed
        .toString()
        .split("\n")
        .filter((line) => /^\S/.test(line)).length;
      assert.equal(await count(file, filter), lines, file);
    }
  });
}

const inner = ipv4(tcp(1024, 80));
const frames = {
  plain: ethernet(inner),
  tagged: ethernet(vlanTag(inner), 0x8100),
  doubly: ethernet(vlanTag(vlanTag(inner), 0x8100), 0x88a8),
  ipv6: ethernet(vlanTag(ipv6(udp(53, 53), { nextHeader: 17 }), 0x86dd), 0x8100),
  cut: ethernet(inner).subarray(0, 20),
} as const;

for (const [filter, matching] of [
  ["tcp port 80", ["plain", "tagged", "doubly"]],
  ["not tcp", ["ipv6"]],
  ["udp port 53", ["ipv6"]],
  ["vlan", ["tagged", "doubly", "ipv6"]],
  ["vlan 1 and vlan 1 and tcp", ["doubly"]],
  ["ip", ["plain", "tagged", "doubly", "cut"]],
] as const) {
  test(`a filter looks behind tags: ${filter}`, { skip }, () => {
    const packetFilter = new PacketFilter(filter);
    const found = Object.entries(frames).flatMap(([name, frame]) =>
      packetFilter.matches(packetOf(frame)) ? [name] : [],
    );
    assert.deepEqual(found, matching);
  });
}

test("a packet of a type for which the filter means nothing does not match", { skip }, () => {
  const packetFilter = new PacketFilter("ether host 1:2:3:4:5:6 or tcp");
  assert.equal(packetFilter.matches({ ...packetOf(frames.plain), linkType: 101 }), false);
  assert.equal(packetFilter.matches({ ...packetOf(frames.plain), linkType: 9999 }), false);
  assert.equal(packetFilter.matches(packetOf(frames.plain)), true);
  assert.equal(new PacketFilter("tcp").matches({ ...packetOf(inner), linkType: 101 }), true);
});

test("a wrong filter is named with libpcap's own words", { skip }, () => {
  for (const filter of ["tcp prot 80", "tcp) or (udp", "host nowhere.invalid", "\0", "port 99999"])
    assert.throws(
      () => compileFilter(filter, 1, 65_535),
      (error: Error) =>
        error instanceof CaptureError && error.failure === "filter" && /^filter/.test(error.message),
    );
});

test("a filter runs in the kernel unless a tag that was taken off could decide it", () => {
  for (const filter of ["tcp", "host 10.0.0.1 and port 80", "ip[8] > 3"])
    assert.equal(needsWholeFrames(filter), false, filter);
  for (const filter of ["vlan 5", "ether[12:2] = 5", "greater 100", "len = 60", "ether proto 0x8100"])
    assert.equal(needsWholeFrames(filter), true, filter);
  assert.equal(matchTagged("vlan 5 and tcp"), "vlan 5 and tcp");
});

test("programs keep within the kernel's bound", { skip }, () => {
  const long = Array.from({ length: 60 }, (_, i) => `host 10.1.${i}.1`).join(" or ");
  const program = compileFilter(long, 1, 65_535);
  assert.ok(program.code.length <= 4096);
  assert.equal(encodeProgram(program).length, program.code.length * 8);
});
