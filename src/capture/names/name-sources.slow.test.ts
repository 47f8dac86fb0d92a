import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { formatAddress, parseAddress } from "../../net.js";
import type { HostNetwork } from "../live/interfaces.js";
import type { ContainerName } from "./docker.js";
import { ServiceError } from "./json-client.js";
import { createNameSources, type NameReaders, type NameSourcesOptions } from "./name-sources.js";
import type { Namespace } from "./namespace-names.js";
import { link } from "./network.test.fixture.js";
import type { Tenancy } from "./registry-names.js";

const SECOND = 1_000_000;

interface Space {
  readonly name: string;
  readonly containerId?: string;
  /** Address, and when it was set: hundredths of a second since boot. */
  readonly addresses: readonly (readonly [string, number])[];
}

function networkOf(...spaces: readonly Space[]): HostNetwork {
  const [own, ...others] = spaces.map(({ name, containerId, addresses }, i) => {
    const kind = i === 0 ? "own" : containerId ? "container" : "named";
    const namespace: Namespace = { id: i, kind, name, path: "", containerId: containerId ?? null };
    const held = addresses.map(([given, setAtCs]) => {
      const address = parseAddress(given)!;
      return { link: 1, address, text: formatAddress(address), prefix: 24, setAtCs };
    });
    return { namespace, number: i, links: [], addresses: held };
  });
  return { own: own!, others, unreadable: [], hidden: 0, limited: null };
}

const HOST: Space = {
  name: "host",
  addresses: [
    ["127.0.0.1", 1],
    ["10.0.0.1", 1],
  ],
};

function engineOf(...containers: readonly { id: string; name: string; addresses?: string[] }[]) {
  return containers.map(({ id, name, addresses = [] }): ContainerName => ({ id, name, addresses }));
}

/** Sources whose answers the test sets between refreshes; boot was at time 0, and the clock stands at `now` seconds. */
function sourcesOf(
  state: {
    now: number;
    network?: HostNetwork | Error;
    engine?: () => Promise<ContainerName[]>;
    history?: Tenancy[] | Error;
  },
  options: Partial<NameSourcesOptions> = {},
) {
  const said: string[] = [];
  const asked = { network: 0, engine: 0, registry: 0 };
  const give = <T>(value: T | Error | undefined): T => {
    if (value === undefined || value instanceof Error) throw value ?? new Error("not set");
    return value;
  };
  const readers: NameReaders = {
    network() {
      asked.network++;
      return give(state.network ?? networkOf(HOST));
    },
    engine() {
      asked.engine++;
      return state.engine!();
    },
    async registry() {
      asked.registry++;
      return give(state.history);
    },
    bootClockCs: () => state.now * 100,
  };
  const sources = createNameSources({
    engineSockets: state.engine ? ["/run/docker.sock"] : [],
    say: (line) => said.push(line),
    readers,
    ...options,
  });
  const refresh = (now: number) => {
    state.now = now;
    return sources.refresh(now * SECOND);
  };
  const find = (address: string, seconds: number, port: number | null = null) =>
    sources.current().find(address, port, seconds * SECOND);
  return { sources, said, asked, refresh, find };
}

test("namespaces name their addresses, the loopback aside; a moved address is told by time", async () => {
  const state = {
    now: 0,
    network: networkOf(
      HOST,
      {
        name: "a",
        addresses: [
          ["10.0.0.7", 100],
          ["::1", 1],
        ],
      },
      { name: "b", addresses: [] },
    ),
  };
  const { refresh, find, sources } = sourcesOf(state);
  await refresh(10);
  assert.equal(find("10.0.0.7", 10), "a");
  assert.equal(find("10.0.0.1", 10), "host");
  assert.equal(find("127.0.0.1", 10), null);
  assert.equal(find("::1", 10), null);
  const before = sources.current();
  state.network = networkOf(
    HOST,
    { name: "a", addresses: [] },
    { name: "b", addresses: [["10.0.0.7", 1150]] },
  );
  await refresh(12);
  assert.deepEqual([find("10.0.0.7", 11.49), find("10.0.0.7", 11.5)], ["a", "b"]);
  assert.equal(before.find("10.0.0.7", null, 11.6 * SECOND), "a", "what was given away does not change");
  assert.equal(sources.current().rest, null);
});

test("the engine's names take precedence over the namespaces', with the namespaces' times", async () => {
  const state = {
    now: 0,
    network: networkOf(HOST, {
      name: "8dfafdbc3a40",
      containerId: "8dfafdbc3a40ff",
      addresses: [["172.20.0.5", 500]],
    }),
    engine: async () =>
      engineOf(
        { id: "8dfafdbc3a40ff", name: "web", addresses: ["172.20.0.5"] },
        { id: "x", name: "far", addresses: ["fd00::9"] },
      ),
  };
  const { refresh, find } = sourcesOf(state);
  await refresh(10);
  assert.deepEqual([find("172.20.0.5", 4.9), find("172.20.0.5", 5)], [null, "web"]);
  assert.equal(find("fd00::9", 10), "far");
});

test("without namespaces the engine's first containers are named for packets that came before, later ones are not", async () => {
  const first = { id: "a", name: "web", addresses: ["172.20.0.5"] };
  // an engine answers when the namespaces have long been read
  const later = (engine: ContainerName[]) =>
    new Promise<ContainerName[]>((resolve) => setImmediate(() => resolve(engine)));
  const state = { now: 0, engine: () => later(engineOf(first)) };
  const { refresh, find } = sourcesOf(state);
  await refresh(10);
  assert.equal(find("172.20.0.5", 9.5), "web");
  state.engine = () => later(engineOf(first, { id: "b", name: "late", addresses: ["172.20.0.6"] }));
  await refresh(20);
  assert.deepEqual([find("172.20.0.6", 9.5), find("172.20.0.6", 20)], [null, "late"]);
});

test("a names file holds against all others, blocks included, and names the rest external", async () => {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-names-"));
  try {
    const file = join(folder, "names.json");
    writeFileSync(file, '{"mine": "10.0.0.7", "office": "192.168.0.0/16"}');
    const network = networkOf(HOST, {
      name: "theirs",
      addresses: [
        ["10.0.0.7", 1],
        ["10.0.0.8", 1],
        ["192.168.1.1", 1],
      ],
    });
    const { refresh, find, sources } = sourcesOf({ now: 0, network }, { file });
    assert.equal(find("10.0.0.7", 1), "mine", "before the first refresh");
    await refresh(10);
    assert.deepEqual(
      ["10.0.0.7", "10.0.0.8", "192.168.1.1", "192.168.2.2"].map((address) => find(address, 10)),
      ["mine", "theirs", "office", "office"],
    );
    assert.equal(sources.current().rest, "external");
    writeFileSync(file, '{"mine');
    assert.throws(() => sources.rereadFile(), /not JSON/);
    assert.equal(find("10.0.0.7", 11), "mine", "what it said before holds on");
    writeFileSync(file, '{"changed": "10.0.0.7"}');
    sources.rereadFile();
    assert.deepEqual([find("10.0.0.7", 11), find("10.0.0.8", 11)], ["changed", "theirs"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
  assert.throws(() => sourcesOf({ now: 0 }, { file: "/nonexistent/names.json" }), { code: "ENOENT" });
});

test("the registry names ports by time, if no other source names the address, and on the host itself", async () => {
  const tenancy = (service: string, text: string, port: number, from: number, to: number): Tenancy => ({
    service,
    instance: service,
    text,
    port,
    fromUs: from * SECOND,
    toUs: to * SECOND,
  });
  const state = {
    now: 0,
    network: networkOf(HOST, { name: "payment-1", addresses: [["10.0.0.80", 1]] }),
    history: [
      tenancy("payment", "10.0.0.80", 8003, 0, Number.POSITIVE_INFINITY),
      tenancy("mail", "10.0.0.1", 2525, 5, 8),
      tenancy("other", "10.0.0.1", 2525, 8, Number.POSITIVE_INFINITY),
      tenancy("far", "10.9.0.1", 80, 0, Number.POSITIVE_INFINITY),
    ],
  };
  const { refresh, find, sources } = sourcesOf(state, { registry: new URL("http://10.0.0.70:8500") });
  await refresh(10);
  assert.deepEqual([...sources.current().announcedPorts("10.0.0.80")], [8003], "whoever names the address");
  assert.equal(find("10.0.0.80", 9, 8003), "payment-1");
  assert.deepEqual(
    [find("10.0.0.1", 6, 2525), find("10.0.0.1", 9, 2525), find("10.0.0.1", 9, 40_000)],
    ["mail", "other", "host"],
  );
  assert.equal(find("10.9.0.1", 9, 80), "far");
});

test("an engine that hangs holds up no other source, is reported once, counted, and asked less and less often", async () => {
  let mode: "hang" | "answer" = "hang";
  const state = {
    now: 0,
    engine: () =>
      mode === "hang"
        ? Promise.reject(new ServiceError("no answer within 2 s", "ETIMEDOUT"))
        : Promise.resolve(engineOf({ id: "1", name: "web", addresses: ["172.20.0.5"] })),
  };
  const { refresh, find, said, asked, sources } = sourcesOf(state);
  for (let now = 0; now <= 120; now++) await refresh(now);
  assert.deepEqual(said, ["/run/docker.sock: no answer within 2 s; names from it may be missing"]);
  assert.ok(asked.engine >= 5 && asked.engine <= 8, `${asked.engine} times in two minutes`);
  assert.ok(asked.network >= 60, "the namespaces are asked as often as ever");
  assert.deepEqual(sources.failures, [
    { source: "/run/docker.sock", reason: "no answer within 2 s", count: asked.engine, failing: true },
  ]);
  mode = "answer";
  for (let now = 121; now <= 190; now++) await refresh(now);
  assert.equal(find("172.20.0.5", 190), "web");
  assert.equal(sources.failures[0]?.failing, false);
  mode = "hang";
  for (let now = 191; now <= 195; now++) await refresh(now);
  assert.equal(said.length, 2, "a new outage is said again");
  assert.equal(find("172.20.0.5", 195), "web", "what is known stays known");
  for (let now = 196; now <= 240; now++) await refresh(now);
  assert.deepEqual([find("172.20.0.5", 195), find("172.20.0.5", 240)], ["web", null], "but not for ever");
});

test("names are there before a slow engine answers; a refresh under way is not begun twice", async () => {
  let answer: (engine: ContainerName[]) => void = () => {};
  const state = {
    now: 0,
    engine: () =>
      new Promise<ContainerName[]>((resolve) => {
        answer = resolve;
      }),
  };
  const { refresh, find, asked } = sourcesOf(state);
  const first = refresh(10);
  const second = refresh(20);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(find("10.0.0.1", 10), "host");
  assert.deepEqual(asked, { network: 1, engine: 1, registry: 0 });
  answer(engineOf({ id: "1", name: "web", addresses: ["172.20.0.5"] }));
  await Promise.all([first, second]);
  assert.equal(find("172.20.0.5", 10), "web");
});

test("names that had no room are told of by their source, and fail nothing", async () => {
  const [container] = engineOf({ id: "1", name: "web", addresses: ["172.20.0.5"] });
  const { refresh, sources } = sourcesOf({ now: 0, engine: async () => [{ ...container!, omitted: 7 }] });
  await refresh(10);
  assert.deepEqual(sources.failures, [
    { source: "/run/docker.sock", omitted: 7, reason: "names had no room", count: 0, failing: false },
  ]);
});

test("of more names than are remembered it is told how many are not", async () => {
  let first = 0;
  const engine = async () =>
    Array.from({ length: 10_000 }, (_, i) => ({
      id: `${first + i}`,
      name: `web-${first + i}`,
      addresses: [0, 1].map((net) => `10.${net}.${(i >> 8) & 255}.${i & 255}`),
    }));
  const { refresh, sources } = sourcesOf({ now: 0, engine });
  for (let round = 1; round <= 4; round++, first += 10_000) await refresh(round * 10);
  const [past, containers] = sources.failures;
  assert.deepEqual([past!.source, containers!.source], ["the past", "containers of the past"]);
  // 80,000 were seen, of which 50,000 stay.
  assert.ok(past!.omitted! > 29_000 && past!.omitted! <= 30_001);
  assert.equal(containers!.omitted, 20_000);
});

test("no engine at the usual places is no failure; at a configured one it is", async () => {
  const engine = () => Promise.reject(new ServiceError("no such socket", "ENOENT"));
  const usual = sourcesOf({ now: 0, engine });
  await usual.refresh(1);
  assert.deepEqual([usual.said, usual.sources.failures], [[], []]);
  const configured = sourcesOf({ now: 0, engine }, { engineSockets: ["/srv/engine.sock"] });
  await configured.refresh(1);
  assert.equal(configured.said.length, 1);
});

test("namespaces that cannot be read, and a clock that is set back, stop nothing", async () => {
  const state: { now: number; network: HostNetwork | Error } = { now: 0, network: networkOf(HOST) };
  const { refresh, find, said, sources } = sourcesOf(state);
  await refresh(100);
  state.network = new Error("netlink: EPERM\n  at x");
  await refresh(103);
  assert.deepEqual(said, ["namespaces: netlink: EPERM; names from it may be missing"]);
  assert.equal(sources.failures[0]?.count, 1);
  state.network = networkOf(HOST);
  await refresh(50);
  assert.equal(find("10.0.0.1", 50), "host");
  assert.equal(sources.failures[0]?.failing, false);
});

test("where two namespaces have one address, the one at the captured interface is meant", async () => {
  const plainNetwork = networkOf(
    { name: "host", addresses: [["10.0.0.9", 1]] },
    { name: "a-far", addresses: [["10.0.0.7", 1]] },
    {
      name: "b-near",
      addresses: [
        ["10.0.0.7", 1],
        ["10.0.0.9", 1],
      ],
    },
  );
  const [far, near] = plainNetwork.others;
  const veth = { kind: "veth", isBridgePort: true };
  const network: HostNetwork = {
    own: {
      ...plainNetwork.own,
      links: [
        link(5, "br-app", { kind: "bridge" }),
        link(6, "v", { ...veth, master: 5, peer: 2, peerNamespace: near!.number }),
      ],
    },
    others: [far!, { ...near!, links: [link(2, "eth0", { ...veth, peer: 6, peerNamespace: 0 })] }],
    unreadable: [],
    hidden: 0,
    limited: null,
  };
  const plain = sourcesOf({ now: 0, network });
  await plain.refresh(10);
  assert.deepEqual([plain.find("10.0.0.7", 10), plain.find("10.0.0.9", 10)], ["a-far", "host"]);
  const chosen = sourcesOf({ now: 0, network }, { near: ["br-app"] });
  await chosen.refresh(10);
  assert.deepEqual([chosen.find("10.0.0.7", 10), chosen.find("10.0.0.9", 10)], ["b-near", "b-near"]);
});
