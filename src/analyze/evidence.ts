/** Compares every conversation on the wire with the kernel's connection tracking: which of them saw it, and why one did not. */

import { EntryMeta, type Value, Word } from "../capture/conntrack/conntrack-table.js";
import type { ConntrackNamespace } from "../capture/conntrack/tracker.js";
import type { Cidr } from "../net.js";
import { Idleness, lifetimeUs, SECOND_US } from "./conntrack/activity.js";
import { EntryIndex, showsPorts } from "./conntrack/entry-index.js";
import { Places } from "./conntrack/places.js";
import type { Flow, FlowTable } from "./flow/flows.js";

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

/** Facts about the capture besides its packets. */
export interface CaptureFacts {
  /** The namespace of the interface; null: the one netwatch runs in. */
  readonly netns: string | null;
  /** The interface is a bridge. */
  readonly bridge: boolean;
  /** Networks that the interface leads to; empty: not known. */
  readonly networks: readonly Cidr[];
  /** Addresses of the interface's own namespace: packets to or from them always pass its IP hooks. */
  readonly ownAddresses: ReadonlySet<string>;
  /** Start and end of packet capture, and the time of the table; microseconds since 1970. */
  readonly startUs: number;
  readonly endUs: number;
  readonly pollUs: number;
  /** Packets were dropped, a filter kept some out, tunnels were entered, or flows were evicted. */
  readonly gap: boolean;
}

/** An entry of one of the namespaces. */
export interface EntryRef {
  readonly namespace: ConntrackNamespace;
  readonly entry: number;
}

/** The verdict on one conversation. */
export interface Judgement {
  readonly verdict: Verdict;
  /** null: both saw it. */
  readonly cause: Cause | null;
  readonly tracked: EntryRef | null;
}

const NONE = -1;

/** Causes by their numbers; 0 is none, for what both saw. */
const CAUSES = [
  null,
  "same-bridge",
  "no-tracking",
  "between-polls",
  "other-namespace",
  "untracked",
  "other-interface",
  "began-before",
  "after-capture",
  "capture-gap",
  "unexplained",
] as const satisfies readonly (Cause | null)[];
type CauseText = (typeof CAUSES)[number];
/** A flow whose packets do not show their ports: nothing can be said. */
const UNTOLD = 255;

const numberOf = (cause: CauseText): number => CAUSES.indexOf(cause);

/** Judges every flow and every entry. Reads both tables: valid until one of them changes. */
export class Evidence {
  readonly #facts: CaptureFacts;
  readonly #namespaces: readonly ConntrackNamespace[];
  /** Namespaces that the interface is in: one or none. */
  readonly #here: ConntrackNamespace | null;
  readonly #index: EntryIndex;
  readonly #places: Places;
  readonly #idleness = new Map<ConntrackNamespace, Idleness>();
  /** The tuple that each flow was found by, or NONE. */
  readonly #tupleOfFlow: Int32Array;
  /** Why the kernel did not see a flow: number of a cause, or UNTOLD. */
  readonly #causeOfFlow: Uint8Array;
  /** 1 for every entry that a flow was found for. */
  readonly #seen: Uint8Array;

  constructor(flows: FlowTable, namespaces: readonly ConntrackNamespace[], facts: CaptureFacts) {
    const here = namespaces.filter(({ netns }) => netns === facts.netns);
    this.#namespaces = [...here, ...namespaces.filter(({ netns }) => netns !== facts.netns)];
    this.#here = here[0] ?? null;
    this.#facts = facts;
    this.#places = new Places(facts);
    this.#index = new EntryIndex(this.#namespaces.map(({ entries }) => entries));
    this.#tupleOfFlow = new Int32Array(flows.count).fill(NONE);
    this.#causeOfFlow = new Uint8Array(flows.count);
    this.#seen = new Uint8Array(this.#index.entries);
    for (let flow = 0; flow < flows.count; flow++) {
      const read = flows.read(flow);
      const found = this.#index.find(read);
      this.#tupleOfFlow[flow] = found;
      if (found === NONE) this.#causeOfFlow[flow] = this.#wireOnlyCause(read);
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
    const cause = this.#causeOfFlow[flow]!;
    return cause === UNTOLD ? null : { verdict: "wire-only", cause: CAUSES[cause]!, tracked: null };
  }

  /** The number of the entry that a flow is a leg of, or -1. */
  entryOf(flow: number): number {
    const tuple = this.#tupleOfFlow[flow]!;
    return tuple === NONE ? NONE : tuple >> 1;
  }

  entry(entry: number): EntryRef {
    return { namespace: this.#namespaces[this.#index.tableOf(entry)]!, entry: this.#index.inTable(entry) };
  }

  /** A number of an entry, such as its counters. */
  number(entry: number, value: Value): number {
    return this.#namespaces[this.#index.tableOf(entry)]!.entries.number(this.#index.inTable(entry), value);
  }

  /** Why no packet of an entry was seen; null: some were. */
  unseenCause(entry: number): Cause | null {
    if (this.#seen[entry] === 1) return null;
    const namespace = this.#namespaces[this.#index.tableOf(entry)]!;
    const { netns, networks, gap, startUs, endUs, pollUs } = this.#facts;
    if (namespace.netns !== netns) return "other-namespace";
    if (networks.length > 0 && !this.#touches(entry)) return "other-interface";
    // Of what is not known (NaN) neither is true.
    const lastUs = pollUs - this.#idlenessOf(namespace).idleUs(this.#index.inTable(entry));
    if (lastUs + SECOND_US < startUs) return "began-before";
    if (lastUs - SECOND_US > endUs) return "after-capture";
    if (gap) return "capture-gap";
    return networks.length > 0 ? "unexplained" : "other-interface";
  }

  #idlenessOf(namespace: ConntrackNamespace): Idleness {
    let idleness = this.#idleness.get(namespace);
    if (idleness === undefined) {
      idleness = new Idleness(namespace);
      this.#idleness.set(namespace, idleness);
    }
    return idleness;
  }

  #wireOnlyCause(flow: Flow): number {
    if (showsPorts(flow.protocol) && flow.sourcePort === null) return UNTOLD;
    const { pollUs, bridge } = this.#facts;
    const here = this.#here;
    if (!here) return numberOf("other-namespace");
    if (bridge && this.#isSwitched(flow)) {
      const passes = flow.version === 4 ? here.facts?.bridgeIpv4 : here.facts?.bridgeIpv6;
      if (passes !== true) return numberOf("same-bridge");
    }
    if (here.isUnknown) return UNTOLD;
    if (here.entries.count === 0) return numberOf("no-tracking");
    const { startUs, endUs } = flow;
    if (startUs !== null && startUs > pollUs) return numberOf("between-polls");
    const lifetime = lifetimeUs(here.facts, flow.protocol);
    if (endUs !== null && lifetime !== null && endUs + lifetime < pollUs) return numberOf("between-polls");
    return numberOf("untracked");
  }

  /** Whether the flow goes from port to port of the bridge: no end of it is the namespace's own, both are on its network. */
  #isSwitched({ source, destination, version }: Flow): boolean {
    const ipv6 = version === 6;
    return this.#places.isPort(source, 0, ipv6) && this.#places.isPort(destination, 0, ipv6);
  }

  /** Whether any of an entry's four addresses is in one of the networks. */
  #touches(entry: number): boolean {
    const words = this.#index.wordsOf(entry);
    const at = this.#index.startOf(entry);
    const ipv6 = (words[at + Word.meta]! & EntryMeta.ipv6) !== 0;
    return (
      this.#places.isNear(words, at + Word.origSource, ipv6) ||
      this.#places.isNear(words, at + Word.origDestination, ipv6) ||
      this.#places.isNear(words, at + Word.replySource, ipv6) ||
      this.#places.isNear(words, at + Word.replyDestination, ipv6)
    );
  }
}
