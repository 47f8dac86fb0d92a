import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { REFUSALS } from "../bft/ballot.js";
import type { Certificate, Proposal } from "../bft/message.js";
import type { VoteFault } from "../bft/tally.js";
import { flawOf } from "../e2e/event-flaw.js";
import { DROP_REASONS } from "../host/rules.js";
import { RegistryBook, type Report } from "../shop/registry-book.js";
import { distrustedAnswer, refusedCertificate, refusedProposal, refusedVote } from "./cluster-events.js";
import { eventLine, type LabEvent } from "./event.js";
import { eventsOfReport, refusedRegistration, silenceOf } from "./registry-events.js";

const OP = "6f1f7a2e-0000-4000-8000-000000000000";
const FAULTS: VoteFault[] = [
  "unknown-signer",
  "bad-signature",
  "replay",
  "wrong-digest",
  "equivocation",
  "wrong-sender",
];
const proposal = { kind: "CREATE_ORDER", opId: OP, proposer: "order-node-99" } as Proposal;

const assertDescribed = (events: readonly LabEvent[]): void => {
  for (const event of events)
    assert.equal(flawOf(eventLine(event, "order-node-1", 0)), "", JSON.stringify(event));
};

test("every reason to refuse is an event as the schema describes it, equivocation one of its own", () => {
  const votes = FAULTS.map((fault) => refusedVote("order-node-2", fault, proposal));
  const proposals = REFUSALS.map((refusal) => refusedProposal(refusal, proposal));
  assertDescribed([...votes, ...proposals]);
  assert.equal([...votes, ...proposals].filter(({ event }) => event === "equivocation").length, 2);
  assertDescribed([
    refusedCertificate("2 valid votes, 3 are needed", { opId: OP } as Certificate, "web", "10.0.0.100"),
    distrustedAnswer("order-node-2", OP),
    refusedRegistration(
      "api-gateway\x1b[2J",
      "10.0.0.100",
      "10.0.0.100",
      "an instance registers only itself",
    ),
  ]);
  assertDescribed(
    DROP_REASONS.map((policy) => ({
      event: "policy-drop",
      severity: "notice",
      text: "x",
      fields: { policy },
    })),
  );
});

test("the registry tells of moves, of silence and of who is back, and of nothing else", () => {
  const book = new RegistryBook(1000);
  const report = (port: number): Report => ({
    service: "payment",
    instance: "payment",
    address: "10.0.0.80",
    port,
    draining: [],
  });
  const told = (port: number, now: number) => eventsOfReport(report(port), book.register(report(port), now));
  assert.deepEqual([...told(8003, 0), ...told(8003, 10)], []);
  const moved = told(8005, 20);
  assert.deepEqual(
    moved.map(({ event, fields }) => [event, fields.from_port, fields.to_port]),
    [["rotation", 8003, 8005]],
  );
  const silent = book.expire(5000).map((gone) => silenceOf(gone, 1000));
  assert.deepEqual(
    silent.map(({ event, fields }) => [event, fields.state]),
    [["health", "down"]],
  );
  const back = told(8005, 6000);
  assert.deepEqual(
    back.map(({ event, fields }) => [event, fields.state]),
    [["health", "up"]],
  );
  assert.deepEqual(told(8005, 6010), []);
  book.deregister("payment", 6020);
  assert.deepEqual(told(8003, 6030), [], "who left in good order has not been silent");
  assertDescribed([...moved, ...silent, ...back]);
});

test("the page lists every event of the schema, and none that is not there", () => {
  const page = readFileSync(new URL("../../../deploy/events/README.md", import.meta.url), "utf8");
  const schema = readFileSync(new URL("../../../deploy/events/event.schema.json", import.meta.url), "utf8");
  const listed = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
  const { properties, oneOf } = JSON.parse(schema);
  assert.deepEqual(listed.sort(), [...properties.event.enum].sort());
  assert.deepEqual(oneOf.map((one: typeof properties) => one.properties.event.const).sort(), listed);
});
