import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { listNamespaces } from "./namespace-names.js";

const ID_A = "8dfafdbc3a40e0d3c1a1a8a5cb9d0f0e7c6b5a4938271605f4e3d2c1b0a99887";
const ID_B = "b".repeat(64);

interface FakeProcess {
  readonly pid: string;
  /** Inode as in the link's text. */
  readonly netns: number | "denied";
  readonly cgroup?: string;
  readonly comm?: string;
}

/** A /proc and a /run/netns made of ordinary files: the inode of `self/ns/net` is real, the links' texts are made up. */
function withPlaces(
  processes: (own: number) => readonly FakeProcess[],
  named: readonly string[],
  check: (places: { named: string; processes: string }, own: number) => void,
): void {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-proc-"));
  const places = { named: join(folder, "netns"), processes: join(folder, "proc") };
  try {
    mkdirSync(places.named);
    mkdirSync(join(places.processes, "self/ns"), { recursive: true });
    writeFileSync(join(places.processes, "self/ns/net"), "");
    writeFileSync(join(places.processes, "self/cgroup"), `0::/docker/${ID_B}\n`);
    for (const name of named) writeFileSync(join(places.named, name), "");
    const own = statSync(join(places.processes, "self/ns/net")).ino;
    for (const { pid, netns, cgroup, comm } of processes(own)) {
      mkdirSync(join(places.processes, pid, "ns"), { recursive: true });
      if (netns !== "denied") symlinkSync(`net:[${netns}]`, join(places.processes, pid, "ns/net"));
      if (cgroup !== undefined) writeFileSync(join(places.processes, pid, "cgroup"), cgroup);
      if (comm !== undefined) writeFileSync(join(places.processes, pid, "comm"), comm);
    }
    check(places, own);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("containers by the cgroups of every engine, others by their first process, one's own once", () =>
  withPlaces(
    (own) => [
      { pid: "1", netns: 77, comm: "init\n" },
      { pid: "10", netns: own, comm: "node\n" },
      { pid: "20", netns: 1001, cgroup: `0::/system.slice/docker-${ID_A}.scope\n` },
      { pid: "21", netns: 1002, cgroup: `12:cpu:/docker/${ID_A.replace("8", "9")}\n0::/\n` },
      {
        pid: "22",
        netns: 1003,
        cgroup: `0::/machine.slice/libpod-${ID_A.replace("8", "7")}.scope/container\n`,
      },
      { pid: "30", netns: 1004, comm: "ngi\x1b[31mnx\n", cgroup: "0::/user.slice\n" },
      { pid: "31", netns: 1004, comm: "worker\n" },
      { pid: "40", netns: 1005, comm: "pause\n" },
      { pid: "41", netns: 1005, cgroup: `0::/kubepods/cri-containerd-${ID_A.replace("8", "6")}.scope\n` },
      { pid: "50", netns: 1006, comm: "sidecar\n", cgroup: `0::/docker/${ID_B}/nested\n` },
      { pid: "not-a-process", netns: 1007 },
    ],
    [],
    (places, own) => {
      const found = listNamespaces(places);
      assert.equal(found.own.id, own);
      assert.equal(found.own.name, "host");
      assert.deepEqual(
        found.others.map(({ id, kind, name, containerId }) => [
          id,
          kind,
          name,
          containerId?.slice(0, 2) ?? null,
        ]),
        [
          [1005, "container", "6dfafdbc3a40", "6d"],
          [1003, "container", "7dfafdbc3a40", "7d"],
          [1001, "container", "8dfafdbc3a40", "8d"],
          [1002, "container", "9dfafdbc3a40", "9d"],
          [77, "process", "host", null],
          [1004, "process", "ngi\x1b[31mnx[30]", null],
          [1006, "process", "sidecar[50]", null],
        ],
      );
      assert.equal(found.others.find(({ id }) => id === 1004)?.path, join(places.processes, "30/ns/net"));
    },
  ));

test("names of /run/netns, and an engine's bind mount by the container that lives in it", () =>
  withPlaces(
    () => [],
    ["shop", "$(touch x)", "-wpwn", "netns-1f0c"],
    (places) => {
      const inode = statSync(join(places.named, "netns-1f0c")).ino;
      mkdirSync(join(places.processes, "60/ns"), { recursive: true });
      symlinkSync(`net:[${inode}]`, join(places.processes, "60/ns/net"));
      writeFileSync(join(places.processes, "60/cgroup"), `0::/libpod-${ID_A}\n`);
      assert.deepEqual(
        listNamespaces(places).others.map(({ kind, name }) => [kind, name]),
        [
          ["named", "$(touch x)"],
          ["named", "-wpwn"],
          ["container", "8dfafdbc3a40"],
          ["named", "shop"],
        ],
      );
    },
  ));

test("where process 1 may not be looked at, the kernel's own tell which namespace is the machine's", () =>
  withPlaces(
    () => [
      { pid: "1", netns: "denied" },
      { pid: "10", netns: 78, comm: "kworker\n" },
      { pid: "2", netns: 78, comm: "kthreadd\n" },
    ],
    [],
    (places) =>
      assert.deepEqual(
        listNamespaces(places).others.map(({ name }) => name),
        ["host"],
      ),
  ));

test("this machine: its own namespace is found, whoever asks", () => {
  const { own, others } = listNamespaces();
  assert.equal(own.id, statSync("/proc/self/ns/net").ino);
  assert.ok(others.every(({ id }) => id !== own.id));
  assert.equal(new Set(others.map(({ id }) => id)).size, others.length);
});
