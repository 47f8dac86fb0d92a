import assert from "node:assert/strict";
import { test } from "node:test";
import { asPacket, SEED, talkPacket, talks } from "../capture/file/sample.test.fixture.js";
import { Analyzer } from "./analyzer.js";
import type { FlowStore } from "./flow/flowstore.js";
import type { FlowObserver } from "./flow-observer.js";

/** A subscriber that keeps the packets of all flows that have left: the whole of what a flow export would need. */
class Departed implements FlowObserver {
  readonly told: string[] = [];
  flows = 0;
  packets = 0;

  evicting(): void {
    this.told.push("evicting");
  }

  leaving(store: FlowStore, entry: number): void {
    if (this.told.at(-1) !== "leaving") this.told.push("leaving");
    this.flows++;
    this.packets += store.packets(entry, false) + store.packets(entry, true);
  }

  renumbered(): void {
    this.told.push("renumbered");
  }
}

test("a subscriber is told of every flow that leaves, in order, and can read it", () => {
  const analyzer = new Analyzer({ maxFlows: 16, seed: SEED });
  const departed = new Departed();
  // One that wants to know nothing is told nothing.
  analyzer.flows.observers.push({}, departed);
  for (const talk of talks(SEED, 3000, 8)) analyzer.add(asPacket(talkPacket(talk)));
  const { evicted } = analyzer.flows;
  assert.ok(evicted.flows > 1);
  assert.equal(departed.flows, evicted.flows);
  assert.equal(departed.packets, evicted.packets + evicted.replyPackets);
  const rounds = departed.told.length / 3;
  assert.deepEqual(departed.told, Array(rounds).fill(["evicting", "leaving", "renumbered"]).flat());
});
