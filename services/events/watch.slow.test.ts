import assert from "node:assert/strict";
import { test } from "node:test";
import { flawOf } from "../e2e/event-flaw.js";
import { planLab, readLab } from "../topology.js";
import { DialWatch, retiredDials } from "./dial-watch.js";
import { DropWatch } from "./drop-watch.js";
import { eventLine } from "./event.js";
import { type Note, type Notes, readNotes } from "./nft-list.js";
import { Places } from "./places.js";

const places = new Places(planLab(readLab(), { profile: "flat", policies: true }));

const note = (packets: number, other: Partial<Note> = {}): Note => ({
  family: "bridge",
  reason: "restricted-service",
  link: "lab-web",
  source: "10.0.0.100",
  destination: "10.0.0.60",
  transport: "tcp",
  port: 5432,
  packets,
  ...other,
});

const notes = (dropped: number, ...list: Note[]): Notes => ({
  notes: list,
  dials: [],
  dropped: new Map([["restricted-service", dropped]]),
});

test("what nft prints is read: sets with and without elements, drops of one reason in two tables", () => {
  const table = (family: string, packets: number, elem: unknown[]) =>
    JSON.stringify({
      nftables: [
        { metainfo: { version: "1.0.6" } },
        { set: { family, name: "noted_egress", table: "netwatch_lab", type: ["ifname"], handle: 3, elem } },
        { set: { family, name: "dials", table: "netwatch_lab", handle: 4 } },
        {
          set: {
            family,
            name: "gateway_rate",
            table: "netwatch_lab",
            type: "ipv4_addr",
            handle: 5,
            elem: ["10.0.0.100"],
          },
        },
        {
          rule: {
            family,
            chain: "drop_egress",
            comment: "egress",
            expr: [{ counter: { packets, bytes: 60 } }, { drop: null }],
          },
        },
        {
          rule: {
            family,
            chain: "lab_forward",
            expr: [{ counter: { packets: 9, bytes: 9 } }, { accept: null }],
          },
        },
      ],
    });
  const element = {
    elem: {
      val: { concat: ["br-app", "10.0.0.100", "203.0.113.10", "tcp", 8443] },
      expires: 59,
      counter: { packets: 2, bytes: 120 },
    },
  };
  const { notes: found, dropped } = readNotes([table("inet", 2, [element]), table("bridge", 3, [])]);
  assert.deepEqual(found, [
    note(2, { family: "inet", reason: "egress", link: "br-app", destination: "203.0.113.10", port: 8443 }),
  ]);
  assert.deepEqual([...dropped], [["egress", 5]]);
  assert.throws(() => readNotes(["{}"]));
});

test("drops are reported by source, destination and count since the look before; counting begins with the first look", () => {
  const watch = new DropWatch(places);
  assert.deepEqual(watch.look(notes(7, note(7))), []);
  const [event, ...rest] = watch.look(notes(9, note(9)));
  assert.deepEqual(rest, []);
  assert.equal(event?.count, 2);
  assert.deepEqual(event?.fields, {
    policy: "restricted-service",
    source: "web",
    source_address: "10.0.0.100",
    destination: "postgres-db",
    destination_address: "10.0.0.60",
    transport: "tcp",
    port: 5432,
  });
  assert.equal(flawOf(eventLine(event!, "lab-watch", 0)), "");
  assert.deepEqual(watch.look(notes(9, note(9))), [], "nothing new");
  assert.equal(watch.look(notes(1, note(1)))[0]?.count, 1, "counters that were reset");
});

test("packets without a note are told without a sender, once they stayed without one", () => {
  const watch = new DropWatch(places);
  watch.look(notes(0));
  assert.deepEqual(watch.look(notes(5)), [], "a note may be about to come");
  const [event, ...rest] = watch.look(notes(5));
  assert.deepEqual([event?.fields, event?.count, rest], [{ policy: "restricted-service" }, 5, []]);
  assert.equal(flawOf(eventLine(event!, "lab-watch", 0)), "");
  assert.deepEqual(watch.look(notes(5)), []);
  watch.look(notes(8));
  assert.equal(watch.look(notes(8, note(3)))[0]?.fields.source, "web", "the note came");
  assert.deepEqual(watch.look(notes(8, note(3))), []);
});

test("of a scan twenty are told one by one and the rest as a sum", () => {
  const watch = new DropWatch(places);
  watch.look(notes(0));
  const scan = Array.from({ length: 300 }, (_, port) => note(1, { port: port + 1 }));
  assert.equal(watch.look(notes(300, ...scan)).length, 20);
  const [rest] = watch.look(notes(300, ...scan));
  assert.deepEqual([rest?.fields, rest?.count], [{ policy: "restricted-service" }, 280]);
});

test("behind a link stands who it belongs to, whatever address it writes", () => {
  const watch = new DropWatch(places);
  const forged = note(1, { reason: "source-identity", link: "lab-web", source: "10.0.0.40" });
  watch.look({ notes: [], dials: [], dropped: new Map([["source-identity", 0]]) });
  const [event] = watch.look({ notes: [forged], dials: [], dropped: new Map([["source-identity", 1]]) });
  assert.deepEqual([event?.fields.source, event?.fields.source_address], ["web", "10.0.0.40"]);
  assert.equal(event?.severity, "warning");
});

const tenancy = (port: number, from: number, to: number | null) => ({
  service: "payment",
  instance: "payment",
  address: "10.0.0.80",
  port,
  from,
  to,
});
const dial = (port: number) => ({ source: "10.0.0.100", destination: "10.0.0.80", port, count: 3 });

test("only a port that was left before the last look is retired", () => {
  const history = [
    tenancy(8003, 0, 1000),
    tenancy(8005, 900, 5000),
    tenancy(8005, 9000, null),
    tenancy(8007, 5000, 9500),
  ];
  const dials = [8003, 8005, 8007, 8009].map(dial);
  const events = retiredDials(dials, history, places, 8000, 10_000);
  assert.deepEqual(
    events.map(({ fields, details, count }) => [fields.port, fields.client, details?.retired_seconds, count]),
    [[8003, "web", 9, 3]],
  );
  assert.equal(flawOf(eventLine(events[0]!, "lab-watch", 0)), "");
});

test("a dial counts once, however often it is looked at", () => {
  const watch = new DialWatch();
  const noted = { source: "10.0.0.100", destination: "10.0.0.80", port: 8003 };
  assert.deepEqual(watch.look([{ ...noted, packets: 1 }]), []);
  assert.deepEqual(watch.look([{ ...noted, packets: 4 }]), [{ ...noted, count: 3 }]);
  assert.deepEqual(watch.look([{ ...noted, packets: 4 }]), []);
  assert.deepEqual(watch.look([]), []);
  assert.deepEqual(
    watch.look([{ ...noted, packets: 2 }]),
    [{ ...noted, count: 2 }],
    "forgotten and noted again",
  );
});
