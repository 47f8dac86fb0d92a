/** `netwatch topology`: who talks to whom, and the bridges of this host. */
import type { Snapshot } from "../analyze/snapshot/snapshot.js";
import { CommandError, ExitCode } from "../exit.js";
import {
  bridgesOf,
  renderDot,
  renderMermaid,
  renderTopologyJson,
  renderTree,
  type Topology,
} from "../report/graph/topology.js";
import { analyzeCaptures, type CaptureOptions } from "./analyze/captures.js";
import { checkMade, readLastSnapshot, readSnapshot } from "./analyze/last-snapshot.js";
import { waitingFor } from "./signals.js";
import type { Terminal } from "./terminal.js";

export const TOPOLOGY_FORMATS = ["tree", "mermaid", "dot", "svg", "json"] as const;

export interface TopologyOptions extends CaptureOptions {
  readonly read?: readonly string[];
  readonly from?: string;
  readonly output: (typeof TOPOLOGY_FORMATS)[number];
}

export async function topology(
  options: TopologyOptions,
  producer: string,
  terminal: Terminal,
): Promise<ExitCode> {
  const { read, from, output } = options;
  if (read !== undefined && from !== undefined)
    throw new CommandError(ExitCode.usage, "give one of -r FILE and --from FILE");
  let exitCode: ExitCode = ExitCode.ok;
  let found: Topology;
  if (read !== undefined) {
    const result = await analyzeCaptures(read, options, producer, terminal);
    exitCode = result.exitCode;
    found = { seen: result.snapshot, bridges: null };
  } else if (from !== undefined)
    found = {
      seen: checkMade(await waitingFor([from], terminal, () => readSnapshot(from)), options),
      bridges: null,
    };
  else found = await lookHere(options, terminal);
  await terminal.write(await render(found, output));
  return exitCode;
}

/** The last Snapshot, and this host's bridges if they are visible. Throws CommandError if there is neither. */
async function lookHere(options: TopologyOptions, terminal: Terminal): Promise<Topology> {
  const bridges = process.geteuid?.() === 0 ? await readBridges() : null;
  let seen: Snapshot | null = null;
  try {
    seen = await readLastSnapshot(terminal.env);
  } catch (error) {
    if (!(error instanceof CommandError) || bridges === null || bridges.length === 0) throw error;
  }
  return { seen: seen && checkMade(seen, options), bridges };
}

async function readBridges() {
  const { readHostNetwork } = await import("../capture/live/interfaces.js");
  const { buildInterfaces } = await import("./doctor/interfaces.js");
  return bridgesOf(buildInterfaces(readHostNetwork(), new Map()));
}

async function render(found: Topology, output: TopologyOptions["output"]): Promise<Iterable<string>> {
  switch (output) {
    case "tree":
      return renderTree(found);
    case "mermaid":
      return renderMermaid(found);
    case "dot":
      return renderDot(found);
    case "json":
      return renderTopologyJson(found);
    case "svg":
      return drawSvg(found);
  }
}

async function drawSvg(found: Topology): Promise<string[]> {
  const { renderSvg } = await import("../report/graph/topology-svg.js");
  const pieces: string[] = [];
  for await (const piece of renderSvg(found)) pieces.push(piece);
  return pieces;
}
