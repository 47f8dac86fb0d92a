import assert from "node:assert/strict";
import { test } from "node:test";
import type { Namespace } from "../names/namespace-names.js";
import { link, NETWORK, space } from "../names/network.test.fixture.js";
import { describeInterfaces, readHostNetwork } from "./interfaces.js";
import { readSysfsLinks } from "./sysfs-links.js";

test("each port stands behind its bridge, under its owner's name", () => {
  const described = describeInterfaces(NETWORK);
  assert.deepEqual(
    described.map(({ link, master, owner, capturePoint, ports }) => [
      link.name,
      master,
      owner && `${owner.namespace.name}/${owner.link.name}`,
      capturePoint,
      ports,
    ]),
    [
      ["br-a", null, null, "br-a", 2],
      ["v12", "br-a", "host/v13", "br-a", 0],
      ["v14", "br-a", null, "br-a", 0],
      ["br-z", null, null, "br-z", 2],
      ["v11", "br-z", "db/eth0", "br-z", 0],
      ["v10", "br-z", "web/eth0", "br-z", 0],
      ["bond0", null, null, "bond0", 1],
      ["eth0", "bond0", null, "bond0", 0],
      ["lo", null, null, "lo", 0],
      ["v13", null, "host/v12", "v13", 0],
      ["v15", null, "web/out", "v15", 0],
      ["eth0.5", null, null, "eth0.5", 0],
    ],
  );
});

test("links that are each other's master are listed once each", () => {
  const odd = space(
    "host",
    null,
    link(1, "a", { master: 2 }),
    link(2, "b", { master: 1 }),
    link(3, "c", { master: 3 }),
  );
  const names = describeInterfaces({ ...NETWORK, own: odd, others: [] }).map((one) => one.link.name);
  assert.deepEqual(names.toSorted(), ["a", "b", "c"]);
});

test("netlink and /sys/class/net say the same of this machine's links", () => {
  // Other tests make and remove links meanwhile: what both saw is compared, and the loopback both see.
  const sysfs = new Map(readSysfsLinks().map((one) => [`${one.index} ${one.name}`, one]));
  const { own, limited } = readHostNetwork({ ...listOwn(), others: [] });
  assert.equal(limited, null);
  const shared = own.links.filter((one) => sysfs.has(`${one.index} ${one.name}`));
  assert.ok(shared.some(({ name }) => name === "lo"));
  for (const one of shared) {
    const other = sysfs.get(`${one.index} ${one.name}`)!;
    const { name, index, mtu, up, master, isBridgePort } = other;
    assert.deepEqual(
      { name, index, mtu, up, master, isBridgePort },
      {
        name: one.name,
        index: one.index,
        mtu: one.mtu,
        up: one.up,
        master: one.master,
        isBridgePort: one.isBridgePort,
      },
    );
  }
});

function listOwn() {
  const own: Namespace = { id: 0, kind: "own", name: "host", path: "/proc/self/ns/net", containerId: null };
  return { own, hidden: 0, omitted: 0 };
}
