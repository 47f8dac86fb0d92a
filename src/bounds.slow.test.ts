/** Everything that is kept while a run goes on has a bound; this lists it and grows each beyond. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { type Runtime, Session } from "node:inspector";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Operations } from "./analyze/app/operations.js";
import { Vocabulary } from "./analyze/app/vocabulary.js";
import { SampleBudget, SeriesBook } from "./analyze/edges/series-book.js";
import { EventTracker, InterfaceTracker } from "./analyze/event-tracker.js";
import { HealthTracker } from "./analyze/health.js";
import type { HealthReport, LedgerInterface, Snapshot } from "./analyze/snapshot/snapshot.js";
import { InputBuffer } from "./capture/file/input.js";
import { PcapngDecoder } from "./capture/file/pcapng.js";
import { Recorder } from "./capture/file/recorder.js";
import { interfaceBlock, join as joinBytes, section } from "./capture/file/sample.test.fixture.js";
import { ContainerNames } from "./capture/names/container-names.js";
import { NameHistory } from "./capture/names/name-history.js";
import { SidecarState } from "./commands/analyze/sidecar-state.js";
import { Authenticator } from "./commands/serve/users/basic-auth.js";
import { LoginDelays } from "./commands/serve/users/login-delays.js";
import type { ConntrackLine } from "./engine/recording/sidecar-lines.js";

const folder = mkdtempSync(join(tmpdir(), "netwatch-bounds-"));
const session = new Session();
session.connect();
after(() => {
  session.disconnect();
  rmSync(folder, { recursive: true });
});

type Property = Runtime.PropertyDescriptor;
/** As the debugger answers; Node's types lack the private ones. */
type Properties = { result: Property[]; privateProperties?: Pick<Property, "name" | "value">[] };

/** How many a field of an object holds, a private one too: as the debugger reads it. */
function sizeOf(object: object, field: string): number {
  const holder = globalThis as { bounded?: object };
  holder.bounded = object;
  let size: number | null = null;
  session.post("Runtime.evaluate", { expression: "bounded" }, (_, { result }) => {
    const of = { objectId: result.objectId!, ownProperties: true };
    session.post("Runtime.getProperties", of, (_error: Error | null, found: Properties) => {
      const all = [...found.result, ...(found.privateProperties ?? [])];
      const value = all.find(({ name }) => name === field)?.value;
      size = Number(/^(?:Map|Set|Array)\((\d+)\)$/.exec(value?.description ?? "")?.[1] ?? Number.NaN);
    });
  });
  delete holder.bounded;
  assert.ok(size !== null && Number.isInteger(size), `${field} cannot be read`);
  return size;
}

interface Bounded {
  /** File and fields, each with the most that it may hold. */
  readonly file: string;
  readonly most: Readonly<Record<string, number>>;
  /** An object that was given far more. */
  readonly grow: () => object | Promise<object>;
  /** What was dropped or had no room, where numbers depend on it. */
  readonly dropped?: (object: never) => number;
}

const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

const target = (i: number) =>
  ({ service: `s${i}`, address: `10.0.0.${i}`, port: 80, check: "tcp", path: "" }) as const;

const BOUNDED: readonly Bounded[] = [
  {
    file: "analyze/app/operations.ts",
    // Beyond the cap one `(other)` an application.
    most: { list: 10_003, "#bytes": 10_003, "#ofChannel": 10_001 },
    grow: () => {
      const operations = new Operations();
      for (let i = 0; i < 30_000; i++) {
        const name = Buffer.from(`op${i}`);
        operations.intern(i, "http", name, name.length);
      }
      const other = Buffer.from("(other)");
      for (const application of ["redis", "dns"] as const)
        for (let channel = 0; channel < 30_000; channel++)
          operations.intern(channel, application, other, other.length);
      return operations;
    },
    dropped: ({ overflow }: Operations) => overflow,
  },
  {
    file: "analyze/app/vocabulary.ts",
    most: { "#counts": 20_000, "#words": 20_000 },
    grow: () => {
      const vocabulary = new Vocabulary();
      for (let i = 0; i < 50_000; i++) vocabulary.admits(Math.imul(i, 0x9e3779b1), i);
      return vocabulary;
    },
  },
  {
    file: "analyze/event-tracker.ts",
    most: { "#pairs": 100, "#health": 1 },
    grow: () => {
      const course = new EventTracker({ maxPairs: 100 });
      for (let i = 0; i < 300; i++) {
        course.look({
          ledger: { dropped: null, interfaces: [{ name: `br${i}`, ended: null }] },
          tables: { pairs: { rows: [{ source: "a", destination: `b${i}` }], omitted: 0 } },
        } as unknown as Snapshot);
        course.health({ targets: [target(i)] } as unknown as HealthReport);
      }
      return course;
    },
  },
  {
    file: "analyze/event-tracker.ts",
    most: { "#interfaces": 1 },
    grow: () => {
      const tracker = new InterfaceTracker();
      for (let i = 0; i < 300; i++) tracker.follow([{ name: `br${i}`, ended: null } as LedgerInterface]);
      return tracker;
    },
  },
  {
    file: "analyze/health.ts",
    most: { "#courses": 1 },
    grow: () => {
      const course = new HealthTracker();
      for (let i = 0; i < 300; i++) course.follow([target(i)]);
      return course;
    },
  },
  {
    file: "analyze/edges/series-book.ts",
    most: { "#listed": 10, "#kept": 40, "#other": 1 },
    grow: () => {
      const create = (source: string, destination: string, kind: string) =>
        ({ source, destination, kind, lastUs: 0, state: "listed" }) as const;
      const book = new SeriesBook(new SampleBudget({ maxSamples: 10, ttlUs: 1 }), create, () => 1);
      for (let i = 0; i < 300; i++) {
        for (let j = 0; j < 20; j++) book.claim(`a${i}`, `b${j}`, "tcp", i * 10);
        if (i < 299) book.expire(i * 10 + 5);
      }
      return book;
    },
  },
  {
    file: "capture/file/pcapng.ts",
    most: { "#interfaces": 1, "#sharedInterfaces": 1, "#drops": 1 },
    grow: () => {
      const input = new InputBuffer();
      const decoder = new PcapngDecoder(input);
      for (let i = 1; i <= 300; i++) {
        const bytes = joinBytes(section(), interfaceBlock({ snaplen: i }));
        input.space().set(bytes);
        input.filled(bytes.length);
        decoder.next();
      }
      return decoder;
    },
  },
  {
    file: "capture/file/recorder.ts",
    most: { "#paths": 0, "#before": 1 },
    grow: async () => {
      const recorder = new Recorder(
        join(folder, "r.pcapng"),
        {
          application: "test",
          interfaces: [],
          room: null,
          rotation: { filesize: 1, durationSeconds: null, packets: null, files: null },
          statistics: () => [],
          names: () => [],
        },
        new Date(0),
        0,
      );
      for (let i = 0; i < 50; i++) recorder.rotate(new Date(0), 0);
      await recorder.close();
      return recorder;
    },
  },
  {
    file: "capture/names/container-names.ts",
    most: { "#names": 100 },
    grow: () => {
      const names = new ContainerNames(100);
      names.observe(times(300, (i) => ({ id: `${i}`, name: "web" })));
      return names;
    },
    dropped: ({ forgotten }: ContainerNames) => forgotten,
  },
  {
    file: "capture/names/name-history.ts",
    most: { "#open": 100, "#closed": 100 },
    grow: () => {
      const history = new NameHistory(100);
      for (let i = 0; i < 300; i++) {
        const address = Uint8Array.of(10, 0, i >> 8, i & 0xff);
        const text = address.join(".");
        history.observe([{ name: "web", address, text, sinceUs: null }], i);
      }
      return history;
    },
    dropped: ({ forgotten }: NameHistory) => forgotten,
  },
  {
    file: "commands/serve/users/basic-auth.ts",
    most: { "#granted": 100, "#refused": 100, "#underWay": 0 },
    grow: async () => {
      const users = new Map(times(300, (i) => [`u${i}`, "$2b$10$x"]));
      const authenticator = new Authenticator(users, async (password, hashes) =>
        hashes.map(() => password === "right"),
      );
      for (let i = 0; i < 600; i++) {
        const password = i % 2 === 0 ? "right" : "wrong";
        const words = Buffer.from(`u${i >> 1}:${password}`).toString("base64");
        await authenticator.check(`Basic ${words}`, `10.0.${i >> 8}.${i & 0xff}`);
      }
      return authenticator;
    },
  },
  {
    file: "commands/serve/users/login-delays.ts",
    most: { "#failures": 1024 },
    grow: () => {
      const delays = new LoginDelays();
      for (let i = 0; i < 3000; i++) delays.fail(`source ${i}`, i);
      return delays;
    },
  },
  {
    file: "commands/analyze/sidecar-state.ts",
    most: { "#entries": 1 },
    grow: () => {
      const state = new SidecarState();
      for (let i = 0; i < 300; i++)
        state.take({
          kind: "conntrack",
          capture: { poll_us: i },
          namespaces: [{ netns: `n${i}`, entries: [], omitted: 0 }],
        } as unknown as ConntrackLine);
      return state;
    },
  },
];

const OF_ONE_LOOK = "lives as long as one look at the tables";
const FIXED = "its keys are fixed in the source or by the command line";

/** What needs no row above, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  "analyze/app/missed.ts #counts": "one a protocol",
  "analyze/app/redis/redis.ts #unproven": "MAX_UNPROVEN of a connection",
  "analyze/app/starttls/starttls.ts #rows": "some of a list in the source",
  "analyze/app/stream.ts waiting": "64 pieces and 256 KiB; stream.slow.test.ts reaches both",
  "analyze/evidence.ts #idleness": OF_ONE_LOOK,
  "analyze/findings/scans.ts #announced": OF_ONE_LOOK,
  "analyze/flow/flows.ts subscriptions": "one a counter that is made, and the inspector",
  "analyze/inspector.ts #datagrams": "one a protocol over UDP",
  "analyze/inspector.ts #freeStreams": "as many as streams, of which MAX_STREAMS are made",
  "analyze/inspector.ts #streams": "MAX_STREAMS; those that wait for one are counted as unfollowed",
  "analyze/flow/labels.ts #names": OF_ONE_LOOK,
  "analyze/flow/labels.ts #texts": OF_ONE_LOOK,
  "analyze/redact.ts #numbers": OF_ONE_LOOK,
  "analyze/edges/request-counter.ts #counted": "as many as operations",
  "analyze/sums/operations.ts #known": OF_ONE_LOOK,
  "analyze/conntrack/activity.ts #full": OF_ONE_LOOK,
  "analyze/conntrack/connections.ts #first": OF_ONE_LOOK,
  "analyze/conntrack/ends.ts #labelAt": OF_ONE_LOOK,
  "analyze/conntrack/ends.ts #labelIds": OF_ONE_LOOK,
  "analyze/conntrack/ends.ts #labelTexts": OF_ONE_LOOK,
  "analyze/conntrack/ends.ts #labels": OF_ONE_LOOK,
  "analyze/conntrack/ends.ts #texts": OF_ONE_LOOK,
  "analyze/conntrack/entry-index.ts #first": OF_ONE_LOOK,
  "analyze/conntrack/services.ts #idOfName": OF_ONE_LOOK,
  "analyze/conntrack/services.ts #ids": OF_ONE_LOOK,
  "analyze/conntrack/services.ts #names": OF_ONE_LOOK,
  "analyze/snapshot/row-text.ts #ends": "two a row of a Snapshot's file",
  "report/charts/chart-context.ts #path": "what one chart draws",
  "report/charts/chart-context.ts #saved": "what one chart draws",
  "report/charts/chart-svg.ts #elements": "what one chart draws",
  "capture/file/file-filter.ts #machines": "one a link type, of which a file names 65,536",
  "capture/file/gzip.ts #ready": "what one piece of input unpacks to; gzip.slow.test.ts reaches it",
  "capture/live/cap.ts UNCOLLECTED": "one an interface opened; a library's fault makes it needed",
  "capture/names/name-sources.ts #heard": FIXED,
  "capture/names/names.ts #announced": "as many as its sources give: files of 16 MiB, lists with caps",
  "capture/names/names.ts #groups": "as many as a names file of 16 MiB gives",
  "capture/names/names.ts #holdings": "as many as its sources give: files of 16 MiB, lists with caps",
  "capture/names/names.ts PIPES": FIXED,
  "capture/peers/peer-thread.ts #known": "one an engine or registry of the command line, each with a cap",
  "capture/peers/peer-thread.ts #waiting":
    "one a source and one a check under way; each ends within two seconds",
  "engine/health/health-poll.ts #tenancies": "replaced by each answer, which has a cap",
  "engine/health/health-poll.ts checks": "replaced by each round",
  "commands/serve/web/connections.ts #byPeer": "MAX_CONNECTIONS; crowd.slow.test.ts reaches it",
  "commands/serve/web/connections.ts #byStream": "holds nothing",
  "commands/serve/web/connections.ts cut": FIXED,
  "commands/serve/users/password-checker.ts #waiting": "MAX_WAITING of basic-auth.ts",
  "commands/serve/residuals.ts #looks": "five an interface of the command line",
  "commands/serve/web/web-server.ts #underWay": FIXED,
  "commands/serve/web/web-server.ts refused": FIXED,
  "commands/tui/tui-feed.ts #events": "taken at each look, of which each has a bound",
  "commands/tui/tui-monitor.ts lastWords": "MAX_WORDS",
  "report/pdf/page/type.ts #clean": "lives as long as one report",
  "report/metrics/metric.ts #samples": "lives as long as one page",
  "tui/chrome/cells.ts widths": "emptied at MAX_WIDTHS",
};

/** Fields of classes and names of files that begin as an empty Map, Set or array. */
const KEEPS =
  /^(?: {2}(?:readonly |private |static )*(#?\w+)(?:: [^\n]*)? =\s*(?:new (?:Map|Set|WeakMap)\b[^\n]*[^,\n]|\[\];)$|const (\w+)(?:: [^\n=]*)? = new (?:Map|Set)(?:<[^()\n]*>)?\(\))/gm;

test("nothing that could grow is forgotten here", () => {
  const source = fileURLToPath(new URL("../../src/", import.meta.url));
  const kept = readdirSync(source, { recursive: true, encoding: "utf8" })
    .map((name) => name.split(sep).join("/"))
    .filter((name) => name.endsWith(".ts") && !/\.(test|fuzz|test\.fixture)\.ts$/.test(name))
    .flatMap((name) =>
      [...readFileSync(join(source, name), "utf8").matchAll(KEEPS)].map(
        ([, field, constant]) => `${name} ${field ?? constant}`,
      ),
    );
  const listed = BOUNDED.flatMap(({ file, most }) => Object.keys(most).map((field) => `${file} ${field}`));
  const known = new Set([...listed, ...Object.keys(EXCEPTIONS)]);
  const unlisted = kept.filter((name) => !known.has(name));
  assert.deepEqual(unlisted, [], "give it a bound and a row, or a reason");
  const gone = [...known].filter((name) => !kept.includes(name));
  assert.deepEqual(gone, [], "is no longer there");
});

for (const { file, most, grow, dropped } of BOUNDED)
  test(`${file}: keeps no more than its bound`, async () => {
    const object = await grow();
    for (const [field, limit] of Object.entries(most)) {
      const size = sizeOf(object, field);
      assert.ok(size <= limit, `${field} holds ${size}, more than ${limit}`);
    }
    if (dropped) assert.ok(dropped(object as never) > 0, "what had no room is counted");
  });
