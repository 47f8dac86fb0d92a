import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { runBounded } from "../../until.test.fixture.js";
import { ConntrackDecoder } from "./conntrack-decode.js";
import { type ConntrackEntry, ConntrackTable } from "./conntrack-table.js";
import { type ConntrackTextReport, parseConntrackText } from "./conntrack-text.js";

const FIXTURES = new URL("../../../../fixtures/", import.meta.url);
const CT_NEW = 0x100;

function parse(text: string): { report: ConntrackTextReport; entries: ConntrackEntry[] } {
  const table = new ConntrackTable();
  const report = parseConntrackText(text, table);
  return { report, entries: entriesOf(table) };
}

function entriesOf(table: ConntrackTable): ConntrackEntry[] {
  return Array.from({ length: table.count }, (_, entry) => table.read(entry));
}

/** Decodes netlink messages, headers and all, one after the other. */
function decodeRecording(name: string): ConntrackEntry[] {
  const bytes = readFileSync(new URL(name, FIXTURES));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const decoder = new ConntrackDecoder(new ConntrackTable());
  for (let at = 0; at + 16 <= bytes.length; ) {
    const length = view.getUint32(at, true);
    decoder.take(view, at + 16, at + length, view.getUint16(at + 4, true));
    at += (length + 3) & ~3;
  }
  assert.equal(decoder.malformed, 0);
  return entriesOf(decoder.table);
}

function decodeHex(hex: string): { decoder: ConntrackDecoder; entries: ConntrackEntry[] } {
  const bytes = Buffer.from(hex, "hex");
  const decoder = new ConntrackDecoder(new ConntrackTable());
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  decoder.take(view, 0, bytes.length, CT_NEW);
  return { decoder, entries: entriesOf(decoder.table) };
}

/** Payloads of messages of one dump, and the lines that `conntrack -L` printed for them. */
const RECORDED = [
  {
    what: "DNAT and SNAT, IPv4 TCP",
    line: "ipv4     2 tcp      6 118 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=55514 dport=8080 packets=6 bytes=406 src=10.0.0.10 dst=10.0.0.1 sport=80 dport=55514 packets=4 bytes=1520 [ASSURED] mark=0 use=1",
    hex: "020000003400018014000180080001007f000001080002007f0000011c000280050001000600000006000200d8da0000060003001f9000003400028014000180080001000a00000a080002000a0000011c0002800500010006000000060002000050000006000300d8da000008000300000001be080008000000000008000c006428dc3508000b00000000010800070000000076300004802c0001800500010007000000050002000a000000050003000a000000060004002700000006000500230000001c0009800c00010000000000000000060c00020000000000000001961c000a800c00010000000000000000040c00020000000000000005f0",
  },
  {
    what: "ICMP",
    line: "ipv4     2 icmp     1 28 src=10.0.0.20 dst=10.0.0.30 type=8 code=0 id=29385 packets=4 bytes=336 src=10.0.0.30 dst=10.0.0.20 type=0 code=0 id=29385 packets=4 bytes=336 mark=0 use=1",
    hex: "020000003c00018014000180080001000a000014080002000a00001e2400028005000100010000000600040072c90000050005000800000005000600000000003c00028014000180080001000a00001e080002000a0000142400028005000100010000000600040072c9000005000500000000000500060000000000080003000000018a080008000000000008000c0091c7e85008000b0000000001080007000000001b1c0009800c00010000000000000000040c00020000000000000001501c000a800c00010000000000000000040c0002000000000000000150",
  },
  {
    what: "IPv6 TCP",
    line: "ipv6     10 tcp      6 118 TIME_WAIT src=fd6e:7700::1 dst=fd6e:7700::10 sport=34680 dport=80 packets=6 bytes=525 src=fd6e:7700::10 dst=fd6e:7700::1 sport=80 dport=34680 packets=4 bytes=480 [ASSURED] mark=0 use=1",
    hex: "0a0000004c0001802c00018014000300fd6e770000000000000000000000000114000400fd6e77000000000000000000000000101c0002800500010006000000060002008778000006000300005000004c0002802c00018014000300fd6e770000000000000000000000001014000400fd6e77000000000000000000000000011c000280050001000600000006000200005000000600030087780000080003000000018e080008000000000008000c00ab10793308000b00000000010800070000000075300004802c0001800500010007000000050002000a000000050003000a000000060004002700000006000500230000001c0009800c00010000000000000000060c000200000000000000020d1c000a800c00010000000000000000040c00020000000000000001e0",
  },
];

/** The text and the messages of a fixture come from two dumps in the same second or the next: time goes on between. */
function sameEntry(a: ConntrackEntry, b: ConntrackEntry): void {
  assert.ok(Math.abs((a.timeout ?? 0) - (b.timeout ?? 0)) <= 2, `${a.timeout} and ${b.timeout}`);
  assert.deepEqual({ ...a, timeout: 0 }, { ...b, timeout: 0 });
}

for (const { what, line, hex } of RECORDED) {
  test(`a message of the kernel and conntrack's line for it are one entry: ${what}`, () => {
    const [decoded] = decodeHex(hex).entries;
    sameEntry(decoded!, parse(line).entries[0]!);
  });
}

for (const suffix of ["", "-acct"]) {
  test(`the kernel's dump and conntrack's text of it are the same entries${suffix}`, () => {
    const text = ["ipv4", "ipv6"]
      .map((family) => readFileSync(new URL(`conntrack-${family}${suffix}.txt`, FIXTURES), "latin1"))
      .join("");
    const { report, entries } = parse(text);
    assert.deepEqual([report.odd, report.first], [0, null]);
    const decoded = decodeRecording(`conntrack-netlink${suffix}.bin`);
    const keyed = (list: readonly ConntrackEntry[]) =>
      new Map(list.map((e) => [JSON.stringify([e.protocol, e.orig]), e]));
    const [fromText, fromKernel] = [keyed(entries), keyed(decoded)];
    assert.ok(fromText.size > 60);
    let compared = 0;
    for (const [key, entry] of fromText) {
      const other = fromKernel.get(key);
      if (other && entry.state === other.state && entry.state !== "ESTABLISHED") {
        sameEntry(other, entry);
        compared++;
      }
    }
    assert.ok(compared >= 20, `${compared} compared`);
    assert.ok(entries.some((e) => e.destinationNat) && entries.some((e) => e.sourceNat));
    assert.equal(
      entries.every((e) => (e.counters === null) === (suffix === "")),
      true,
    );
  });
}

test("every cut of a message is decoded or counted, never read beyond", () => {
  for (const { hex } of RECORDED) {
    for (let bytes = 0; bytes <= hex.length / 2; bytes++) {
      const { decoder, entries } = decodeHex(hex.slice(0, bytes * 2));
      assert.equal(entries.length + decoder.malformed, 1);
    }
  }
});

test("any bytes as a message: no crash, at most one entry", () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const mutated = fc
    .tuple(fc.constantFrom(...RECORDED), fc.nat(), fc.nat({ max: 255 }))
    .map(([{ hex }, at, value]) => {
      const message = Uint8Array.from(Buffer.from(hex, "hex"));
      message[at % message.length] = value;
      return message;
    });
  fc.assert(
    fc.property(fc.oneof(bytes, mutated), (message) => {
      const { decoder, entries } = decodeHex(Buffer.from(message).toString("hex"));
      assert.equal(entries.length + decoder.malformed, 1);
    }),
  );
});

const LINE = RECORDED[0]!.line;

test("what else conntrack and the kernel print", () => {
  const cases: readonly (readonly [string, (entry: ConntrackEntry) => unknown, unknown])[] = [
    [
      "tcp      6 2 TIME_WAIT src=127.0.0.1 dst=127.0.0.1 sport=60962 dport=40713 src=127.0.0.1 dst=127.0.0.1 sport=40713 dport=60962 [ASSURED] mark=0 use=2",
      (e) => [e.state, e.timeout, e.assured, e.destinationNat],
      ["TIME_WAIT", 2, true, false],
    ],
    [
      "udp      17 4 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=53 packets=3 bytes=90 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 dport=1 packets=0 bytes=0 mark=0x100 secctx=system_u:object_r:unlabeled_t:s0 use=1",
      (e) => [e.seenReply, e.mark, e.counters?.bytes],
      [false, 256, 90],
    ],
    [
      "tcp      6 src=10.0.0.1 dst=10.0.0.2 sport=1234 dport=80 src=10.0.0.2 dst=10.0.0.1 sport=80 dport=1234 [HW_OFFLOAD] mark=0 use=2",
      (e) => [e.timeout, e.state],
      [null, "NONE"],
    ],
    [
      "ipv4     2 gre      47 179 src=10.0.0.1 dst=10.0.0.2 srckey=0x0 dstkey=0x1 src=10.0.0.2 dst=10.0.0.1 srckey=0x1 dstkey=0x0 [ASSURED] use=2",
      (e) => [e.protocol, e.orig.destinationPort, e.sourceNat],
      [47, 1, false],
    ],
    [
      "ipv4     2 sctp     132 5 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=2905 dport=2905 src=10.0.0.2 dst=10.0.0.1 sport=2905 dport=2905 use=2",
      (e) => e.state,
      "ESTABLISHED",
    ],
    [
      "ipv4     2 unknown  2 589 src=10.0.0.1 dst=224.0.0.22 [UNREPLIED] src=224.0.0.22 dst=10.0.0.1 mark=0 zone=7 use=2",
      (e) => [e.protocol, e.orig.sourcePort, e.zone],
      [2, null, 7],
    ],
    [
      "icmpv6   58 27 src=fd00:1::2 dst=fd00:2::2 type=128 code=0 id=22977 src=fd00:2::2 dst=fd00:1::2 type=129 code=0 id=22977 mark=42 delta-time=3 [start=Sun Nov 22 09:25:13 2026] use=1 id=3337148306",
      (e) => [e.version, e.orig.icmp?.id, e.reply.icmp?.type],
      [6, 22977, 129],
    ],
    [
      "ipv6     10 tcp      6 9 CLOSE src=fd00:0001:0000:0000:0000:0000:0000:0002 dst=fd00:2::2 sport=1 dport=2 src=fd00:2::2 dst=fd00:1::2 sport=2 dport=1 use=2",
      (e) => e.orig.source,
      "fd00:1::2",
    ],
  ];
  for (const [line, read, expected] of cases) {
    const { report, entries } = parse(line);
    assert.deepEqual(report, { entries: 1, odd: 0, first: null }, line);
    assert.deepEqual(read(entries[0]!), expected, line);
  }
});

test("a line that is no entry is counted and the first one named; the rest is read", () => {
  const odd = [
    "ipv4 2 tcp",
    "tcp 6 120 SYN_SENT src=10.8.0 dst=10.0.1.20 dport=443",
    "tcp 6 120 SYN_SENT src=10.8.0.1 dst=x dport=443",
    LINE.replace("sport=55514", "sport=99999"),
    LINE.replace("dport=8080", "dport=-1"),
    LINE.replace(" dport=8080", ""),
    LINE.replace("118", "99999999999999999999"),
    LINE.replace("dst=10.0.0.1", "dst=fd00::1"),
    `${LINE} src=10.0.0.1`,
    `[NEW] ${LINE}`,
    "<conntrack>",
    "cpu=0 found=0",
    "x".repeat(5000),
  ];
  const { report, entries } = parse([LINE, ...odd, LINE].join("\n"));
  assert.deepEqual([report.entries, report.odd, report.first?.line, entries.length], [2, odd.length, 2, 2]);
  const meant = "# comment\n\nconntrack v1.4.7 (conntrack-tools): 7 flow entries have been shown.\r\n";
  assert.deepEqual(parse(meant).report, { entries: 0, odd: 0, first: null });
});

test("any text: no crash, every line an entry, odd, or known to be none", () => {
  const word = fc.constantFrom(
    ...LINE.split(" "),
    "src=",
    "src=::",
    "id=5",
    "type=8",
    "mark=0xffffffff",
    "[UNREPLIED]",
    "=",
    "\0",
  );
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc
      .array(fc.array(word, { maxLength: 25 }).map((words) => words.join(" ")))
      .map((lines) => lines.join("\n")),
  );
  fc.assert(
    fc.property(text, (input) => {
      const { report, entries } = parse(input);
      assert.equal(report.entries, entries.length);
      assert.ok(report.entries + report.odd <= input.split("\n").length);
      assert.equal(report.first === null, report.odd === 0);
    }),
  );
});

test("a million spaces, digits or brackets are read in one go", () => {
  const code = `
    for (const filling of [" ", "1", "[", "src=", "\\n"])
      it.parseConntrackText(${JSON.stringify(LINE.slice(0, 30))} + filling.repeat(1_000_000) + ${JSON.stringify(LINE.slice(30))}, null);`;
  assert.equal(runBounded(new URL("./conntrack-text.js", import.meta.url), code), "");
});

test("a table at its bound counts what it leaves out", () => {
  const table = new ConntrackTable(3);
  const { entries, odd } = parseConntrackText(`${LINE}\n`.repeat(5), table);
  assert.deepEqual([entries, odd, table.count, table.omitted], [3, 2, 3, 2]);
});
