/** The kernel's netlink messages. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ConntrackDecoder } from "../capture/conntrack/conntrack-decode.js";
import { entryToJson } from "../capture/conntrack/conntrack-json.js";
import { ConntrackTable } from "../capture/conntrack/conntrack-table.js";
import { join, u8, u16, u32, u64 } from "../capture/file/sample.test.fixture.js";
import { finish, type NetlinkChannel, NetlinkDumper, NetlinkError } from "../capture/kernel/netlink.js";
import { decodeAddress, decodeLink, decodeNamespaceNumber } from "../capture/kernel/rtnetlink.js";
import { SocketTable } from "../capture/kernel/sockets.js";
import { latin1, type Target } from "./target.fuzz.js";

const HEADER = 16;
const CT_NEW = 0x100;
const SOCK_DIAG_BY_FAMILY = 20;
const [SEQUENCE, DONE] = [1, 3];

/** Messages of a list, as the kernel lays them out. */
function* messagesOf(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true);
    yield bytes.slice(at, at + length);
    at += (length + 3) & ~3;
  }
}

/** Some recorded messages of either family, without their headers. */
const RECORDED = ["conntrack-netlink.bin", "conntrack-netlink-acct.bin"].flatMap((name) => {
  const path = fileURLToPath(new URL(`../../../fixtures/${name}`, import.meta.url));
  const all = [...messagesOf(new Uint8Array(readFileSync(path)))].map((message) => message.slice(HEADER));
  return [all[0]!, all[all.length >> 1]!, all.at(-1)!];
});

const view = (bytes: Uint8Array) => new DataView(bytes.buffer);

const conntrack: Target = {
  name: "conntrack-netlink",
  seeds: RECORDED,
  run(bytes) {
    const table = new ConntrackTable(8);
    const decoder = new ConntrackDecoder(table);
    decoder.take(view(bytes), 0, bytes.length, CT_NEW);
    assert.equal(table.count + decoder.malformed, 1, "a message is an entry or counted");
    return [...Array(table.count).keys()].map((entry) =>
      JSON.parse(JSON.stringify(entryToJson(table, entry))),
    );
  },
};

const attribute = (type: number, value: Uint8Array) =>
  join(u16(value.length + 4, true), u16(type, true), value, new Uint8Array(-value.length & 3));
const word = (n: number) => u32(n, true);
const LINK = join(
  ...[u16(0), u16(1, true), word(12), word(0x1_0103), word(0)],
  attribute(3, latin1("eth0\0")),
  attribute(4, word(1500)),
  attribute(5, word(2)),
  attribute(18 | 0x8000, join(attribute(1, latin1("veth\0")), attribute(4, latin1("bridge\0")))),
  attribute(23, join(...[1n, 2n, 3n, 4n, 0n, 0n, 7n, 8n].map((n) => u64(n, true)))),
  attribute(37, word(0)),
);
const ADDRESS = join(
  ...[u8(2, 24, 0, 0), word(3)],
  attribute(1, u8(10, 0, 0, 1)),
  attribute(2, u8(10, 0, 0, 2)),
  attribute(6, join(word(1), word(2), word(3), word(4))),
);

/** The kernel's signed numbers are no counts; as text they are not checked. */
const signed = (value: number | null) => (value === null ? null : String(value));

const route: Target = {
  name: "route-netlink",
  seeds: [LINK, ADDRESS, join(u8(0, 0, 0, 0), attribute(1, word(7)))],
  run(bytes) {
    const link = decodeLink(view(bytes), 0, bytes.length);
    const address = decodeAddress(view(bytes), 0, bytes.length);
    const number = decodeNamespaceNumber(view(bytes), 0, bytes.length);
    return {
      link: link && {
        ...link,
        index: signed(link.index),
        mtu: signed(link.mtu),
        master: signed(link.master),
        peer: signed(link.peer),
        peerNamespace: signed(link.peerNamespace),
      },
      address: address && { ...address, link: signed(address.link), address: address.address.join() },
      number,
    };
  },
};

const sockets: Target = {
  name: "sock-diag",
  seeds: [
    join(u8(2, 1, 0, 0), u16(80), u16(4000), new Uint8Array(64).fill(7)),
    join(u8(10, 10, 0, 0), new Uint8Array(68)),
  ],
  run(bytes) {
    const table = new SocketTable();
    table.take(view(bytes), 0, bytes.length, SOCK_DIAG_BY_FAMILY);
    assert.equal(table.count, bytes.length < 72 ? 0 : 1);
    return Array.from(table.words.subarray(0, table.count * 12), String);
  },
};

/** One answer of the kernel: its messages, with the number of the question. */
const message = (type: number, flags: number, body: Uint8Array) =>
  join(
    word(HEADER + body.length),
    u16(type, true),
    u16(flags, true),
    word(SEQUENCE),
    word(0),
    body,
    new Uint8Array(-body.length & 3),
  );

const dump: Target = {
  name: "netlink",
  seeds: [
    join(message(16, 2, LINK), message(DONE, 2, word(0))),
    join(message(16, 0x12, LINK), message(16, 2, LINK), message(DONE, 2, word(-4))),
    message(2, 0, word(-1)),
  ],
  errors: [NetlinkError],
  run(bytes) {
    // After the input, ends of lists: one for each time that it may ask.
    let asked = 0;
    const answers: Uint8Array[] = [];
    const channel: NetlinkChannel = {
      send(question) {
        asked++;
        const end = message(DONE, 0, word(0));
        end.set(question.subarray(8, 12), 8);
        answers.splice(0, answers.length, bytes, end);
      },
      receive(buffer) {
        const answer = answers.shift();
        assert.ok(answer, "it reads on behind the end of a list");
        buffer.set(answer);
        return answer.length;
      },
      close() {},
    };
    const dumper = new NetlinkDumper(channel);
    const taken: number[] = [];
    const begin = () => void taken.splice(0, taken.length);
    const whole = finish(
      dumper.dump(18, new Uint8Array(16), begin, (view, start, end, type) => {
        assert.ok(start <= end && end <= view.byteLength);
        taken.push(type, end - start);
      }),
    );
    assert.ok(asked <= 4 && dumper.resyncs <= asked);
    return { taken, whole, resyncs: dumper.resyncs, malformed: dumper.malformed };
  },
};

export const targets: readonly Target[] = [conntrack, route, sockets, dump];
