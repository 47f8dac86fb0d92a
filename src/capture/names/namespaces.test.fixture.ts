/** Network namespaces for a test: one that plays the host with a bridge, two on its bridge, one apart. All are removed at the end. */
import { execFileSync } from "node:child_process";
import { after, before } from "node:test";
import { PATIENCE_MS } from "../../until.test.fixture.js";
import { withNetns } from "../kernel/netns.js";
import { type HostNetwork, readHostNetwork } from "../live/interfaces.js";
import { listNamespaces } from "./namespace-names.js";

export const ROOT_ONLY = {
  skip: process.getuid?.() === 0 ? false : "makes network namespaces: needs root",
};

/** Names that nothing else on the machine uses. */
export const own = (name: string) => `nwt${process.pid}${name}`;
export const [HOST, WEB, DB, APART] = [own("host"), own("web"), own("db"), own("apart")] as const;

export const ip = (...words: string[]) =>
  execFileSync("ip", words, { stdio: ["ignore", "pipe", "pipe"], timeout: PATIENCE_MS });
export const nowUs = () => Date.now() * 1000;

/** What netwatch would see if it ran in the namespace that plays the host; `only` the test's own namespaces. */
export const look = (previous: HostNetwork | null = null) =>
  withNetns(HOST, () => {
    const namespaces = listNamespaces();
    const others = namespaces.others.filter(({ name }) => name.startsWith(own("")));
    return readHostNetwork({ ...namespaces, others }, previous);
  });

function removeAll(): void {
  for (const name of [WEB, DB, APART, HOST])
    try {
      ip("netns", "delete", name);
    } catch {
      // never made
    }
}

/** Makes them before the file's tests and removes them after, whatever comes of the tests. */
export function useNamespaces(): void {
  before(() => {
    if (ROOT_ONLY.skip) return;
    try {
      makeAll();
    } catch (error) {
      removeAll();
      throw error;
    }
  });
  after(() => {
    if (!ROOT_ONLY.skip) removeAll();
  });
}

function makeAll(): void {
  for (const name of [HOST, WEB, DB, APART]) ip("netns", "add", name);
  ip("-n", HOST, "link", "add", "br-t", "type", "bridge");
  for (const [name, port, address] of [
    [WEB, "v-web", "10.201.0.10/24"],
    [DB, "v-db", "10.201.0.20/24"],
  ] as const) {
    ip("-n", HOST, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name);
    ip("-n", HOST, "link", "set", "dev", port, "master", "br-t", "up");
    ip("-n", name, "address", "add", address, "dev", "eth0");
    ip("-n", name, "link", "set", "dev", "eth0", "up");
  }
  ip("-n", HOST, "address", "add", "10.201.0.1/24", "dev", "br-t");
  ip("-n", HOST, "link", "set", "dev", "br-t", "up");
  ip("-n", APART, "link", "add", "alone0", "type", "bridge");
  ip("-n", APART, "address", "add", "10.201.9.9/32", "dev", "alone0");
}
