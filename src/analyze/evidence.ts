/** Two witnesses for every conversation, the wire and the kernel's connection tracking: who saw it, and if one did not, why. */

import { Word } from "../capture/conntrack/conntrack-table.js";
import type { TrackedNamespace } from "../capture/conntrack/tracker.js";
import { type Cidr, cidrContains, formatIpv4, formatIpv6, parseAddress } from "../net.js";
import type { Flow, FlowTable } from "./flows.js";
import { lastPacketUs, lifetimeUs } from "./tracking/activity.js";
import { EntryIndex, showsPorts } from "./tracking/entry-index.js";

export type Verdict = "both" | "wire-only" | "conntrack-only";

/**
 * Why one of the two did not see it, as far as that can be told.
 * Wire only: `same-bridge`: switched between ports of the bridge, and br_netfilter is off; `no-tracking`: the namespace tracks
 * nothing; `between-polls`: over and forgotten, or not begun, when the table was read; `other-namespace`: the namespace of the
 * interface was not asked; `untracked`: none of these, so a rule exempts it or it never passed the IP hooks.
 * Conntrack only: `other-namespace`: tracked elsewhere than where the interface is; `other-interface`: no end of it is on the
 * captured network; `began-before`: idle since before the capture; `after-capture`: its last packet came later;
 * `capture-gap`: the capture lost packets or filtered; `unexplained`.
 */
export type Cause =
  | "same-bridge"
  | "no-tracking"
  | "between-polls"
  | "other-namespace"
  | "untracked"
  | "other-interface"
  | "began-before"
  | "after-capture"
  | "capture-gap"
  | "unexplained";

/** What is known of the capture beside its packets. */
export interface CaptureFacts {
  /** The namespace of the interface; null: the one netwatch runs in. */
  readonly netns: string | null;
  /** The interface is a bridge. */
  readonly bridge: boolean;
  /** Networks that the interface leads to; empty: not known. */
  readonly networks: readonly Cidr[];
  /** Addresses of the interface's own namespace: packets to or from them always pass its IP hooks. */
  readonly ownAddresses: ReadonlySet<string>;
  /** When packets began and ceased to be taken, and when the table was read; microseconds since 1970. */
  readonly startUs: number;
  readonly endUs: number;
  readonly pollUs: number;
  /** Packets were dropped, a filter kept some out, or flows were evicted. */
  readonly gap: boolean;
}

/** An entry of one of the namespaces. */
export interface EntryRef {
  readonly namespace: TrackedNamespace;
  readonly entry: number;
}

/** What is to be said of one conversation. */
export interface Judgement {
  readonly verdict: Verdict;
  /** null: both saw it. */
  readonly cause: Cause | null;
  readonly tracked: EntryRef | null;
}

const NONE = -1;

/** Judges every flow and every entry. Reads both tables: valid until one of them changes. */
export class Evidence {
  readonly #flows: FlowTable;
  readonly #facts: CaptureFacts;
  readonly #namespaces: readonly TrackedNamespace[];
  readonly #index: EntryIndex;
  /** The tuple that each flow was found by, or NONE. */
  readonly #tupleOfFlow: Int32Array;
  /** 1 for every entry that a flow was found for. */
  readonly #seen: Uint8Array;

  constructor(flows: FlowTable, namespaces: readonly TrackedNamespace[], facts: CaptureFacts) {
    const here = namespaces.filter(({ netns }) => netns === facts.netns);
    this.#namespaces = [...here, ...namespaces.filter(({ netns }) => netns !== facts.netns)];
    this.#flows = flows;
    this.#facts = facts;
    this.#index = new EntryIndex(this.#namespaces.map(({ entries }) => entries));
    this.#tupleOfFlow = new Int32Array(flows.count).fill(NONE);
    this.#seen = new Uint8Array(this.#index.entries);
    for (let flow = 0; flow < flows.count; flow++) {
      const found = this.#index.find(flows.read(flow));
      this.#tupleOfFlow[flow] = found;
      for (let tuple = found; tuple !== NONE; tuple = this.#index.next(tuple)) this.#seen[tuple >> 1] = 1;
    }
  }

  /** Entries of all namespaces; they are numbered from 0. */
  get entries(): number {
    return this.#index.entries;
  }

  /** What is to be said of a flow; null: its packets do not show their ports (fragments), so it cannot be looked up. */
  judge(flow: number): Judgement | null {
    const tuple = this.#tupleOfFlow[flow]!;
    if (tuple !== NONE) return { verdict: "both", cause: null, tracked: this.entry(tuple >> 1) };
    const read = this.#flows.read(flow);
    if (showsPorts(read.protocol) && read.sourcePort === null) return null;
    return { verdict: "wire-only", cause: this.#wireOnlyCause(read), tracked: null };
  }

  /** The number of the entry that a flow is a leg of, or -1. */
  entryOf(flow: number): number {
    const tuple = this.#tupleOfFlow[flow]!;
    return tuple === NONE ? NONE : tuple >> 1;
  }

  entry(entry: number): EntryRef {
    const { table, entry: inTable } = this.#index.locate(entry);
    return { namespace: this.#namespaces[table]!, entry: inTable };
  }

  /** Why no packet of an entry was seen; null: some were. */
  unseenCause(entry: number): Cause | null {
    if (this.#seen[entry] === 1) return null;
    const tracked = this.entry(entry);
    const { netns, networks, gap, startUs, endUs, pollUs } = this.#facts;
    if (tracked.namespace.netns !== netns) return "other-namespace";
    if (networks.length > 0 && !touches(networks, tracked)) return "other-interface";
    const lastUs = lastPacketUs(tracked.namespace, tracked.entry, pollUs);
    if (lastUs !== null && lastUs.latest < startUs) return "began-before";
    if (lastUs !== null && lastUs.earliest > endUs) return "after-capture";
    if (gap) return "capture-gap";
    return networks.length > 0 ? "unexplained" : "other-interface";
  }

  #wireOnlyCause(flow: Flow): Cause {
    const { netns, pollUs, bridge } = this.#facts;
    const here = this.#namespaces.find((namespace) => namespace.netns === netns);
    if (!here) return "other-namespace";
    if (bridge && this.#isSwitched(flow)) {
      const passes = flow.version === 4 ? here.facts?.bridgeIpv4 : here.facts?.bridgeIpv6;
      if (passes !== true) return "same-bridge";
    }
    if (here.entries.count === 0) return "no-tracking";
    const { startUs, endUs } = flow;
    if (startUs !== null && startUs > pollUs) return "between-polls";
    const lifetime = lifetimeUs(here.facts, flow.protocol);
    if (endUs !== null && lifetime !== null && endUs + lifetime < pollUs) return "between-polls";
    return "untracked";
  }

  /** Whether the flow goes from port to port of the bridge: no end of it is the namespace's own, both are on its network. */
  #isSwitched(flow: Flow): boolean {
    const { ownAddresses, networks } = this.#facts;
    return [flow.source, flow.destination].every((words) => {
      const text =
        flow.version === 4 ? formatIpv4(words[0]!) : formatIpv6(words[0]!, words[1]!, words[2]!, words[3]!);
      const bytes = parseAddress(text)!;
      const near = networks.filter(({ network }) => network.length === bytes.length);
      return !ownAddresses.has(text) && (near.length === 0 || near.some((cidr) => cidrContains(cidr, bytes)));
    });
  }
}

/** Whether any of an entry's four addresses is in one of the networks. */
function touches(networks: readonly Cidr[], { namespace, entry }: EntryRef): boolean {
  return [Word.origSource, Word.origDestination, Word.replySource, Word.replyDestination].some((word) => {
    const bytes = parseAddress(namespace.entries.addressText(entry, word))!;
    return networks.some((cidr) => cidrContains(cidr, bytes));
  });
}
