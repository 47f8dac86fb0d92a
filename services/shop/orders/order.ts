import { Gauge } from "prom-client";
import { Ballot } from "../../bft/ballot.js";
import { signerFrom } from "../../bft/message.js";
import { describeCluster } from "../../bft/quorum.js";
import { refusedProposal, refusedVote } from "../../events/cluster-events.js";
import { openEventLog } from "../../events/event-log.js";
import { createApp } from "../../service/app.js";
import { Directory } from "../../service/directory.js";
import type { Identity } from "../../service/identity.js";
import { registryUrl, runService } from "../../service/run-service.js";
import { readSecret } from "../../service/secret.js";
import { instancesOf } from "../../topology.js";
import { Coordinator } from "./order-coordinator.js";
import { FaultSwitch, Liar } from "./order-fault.js";
import { addOrderRoutes } from "./order-routes.js";
import { keyRings } from "./order-rules.js";
import { OrderStore } from "./order-store.js";
import { addProtocolRoutes } from "./protocol-routes.js";

/** One node of the order cluster. */
export async function startOrder(identity: Identity): Promise<void> {
  const { plan, instance } = identity;
  const signer = signerFrom(instance.name, await readSecret(`${instance.name}.pem`));
  const postgres = instancesOf(plan, "postgres-db")[0]!;
  const keys = keyRings(plan);
  const nodes = instancesOf(plan, plan.cluster.service);
  const fault = new FaultSwitch(instance.name);
  const app = createApp(instance.name, () => ({ fault: fault.current }));
  const store = new OrderStore(
    { host: postgres.address, port: postgres.ports[0]!, password: await readSecret("postgres.password") },
    (error) => app.http.log.warn({ reason: error.message }, "lost a database connection"),
  );
  const directory = new Directory(registryUrl(plan), ["payment", "email"]);
  const ballot = new Ballot(keys.nodes, signer);
  const voteFaults = new Map<string, number>();
  const events = openEventLog(plan.events, instance.name, (problem) => app.http.log.error(problem));
  const coordinator = new Coordinator({
    plan,
    nodes,
    signer,
    keys,
    ballot,
    store,
    directory,
    log: app.http.log,
    onFault: (node, fault, operation) => {
      voteFaults.set(fault, (voteFaults.get(fault) ?? 0) + 1);
      events.note(refusedVote(node, fault, operation), Date.now());
    },
    onRefusal: (refusal, proposal) => events.note(refusedProposal(refusal, proposal), Date.now()),
  });
  const peers = nodes.map((node) => node.name).filter((name) => name !== instance.name);
  const parts = { plan, signer, keys, store, directory, ballot, coordinator, fault, voteFaults, events };
  addProtocolRoutes(app.http, { ...parts, liar: new Liar(signer, peers), peers });
  addOrderRoutes(app.http, { ...parts, liar: new Liar(signer, peers), peers });
  for (const [name, help, counts] of [
    ["bft_proposals_refused_total", "Proposals refused, by reason.", ballot.refused],
    ["bft_votes_refused_total", "Votes refused, by reason.", voteFaults],
  ] as const)
    new Gauge({
      name,
      help,
      labelNames: ["reason"],
      registers: [app.metrics],
      collect() {
        for (const [reason, count] of counts) this.set({ reason }, count);
      },
    });
  app.http.log.info(describeCluster(plan.cluster.nodes, plan.cluster.quorum));
  await runService(identity, app, {
    start: async () => {
      fault.start();
      await directory.start();
    },
    stop: async () => {
      fault.stop();
      directory.stop();
      await store.close();
      events.close(Date.now());
    },
  });
}
