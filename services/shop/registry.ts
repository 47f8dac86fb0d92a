import { lookup } from "node:dns/promises";
import type { FastifyInstance } from "fastify";
import { Gauge } from "prom-client";
import { type EventLog, openEventLog } from "../events/event-log.js";
import { Places } from "../events/places.js";
import { eventsOfReport, refusedRegistration, silenceOf } from "../events/registry-events.js";
import { type App, createApp } from "../service/app.js";
import type { Identity } from "../service/identity.js";
import { runService } from "../service/run-service.js";
import { hostAddresses, type Instance, type Plan } from "../topology.js";
import { type Change, RegistryBook, type Report } from "./registry-book.js";

const EXPIRY_MS = 6000;

const reportSchema = {
  type: "object",
  required: ["service", "instance", "address", "port"],
  additionalProperties: false,
  properties: {
    service: { type: "string", maxLength: 64 },
    instance: { type: "string", maxLength: 64 },
    address: { type: "string", maxLength: 45 },
    port: { type: "integer", minimum: 1, maximum: 65535 },
    draining: {
      type: "array",
      maxItems: 16,
      items: { type: "integer", minimum: 1, maximum: 65535 },
      default: [],
    },
  },
} as const;

const rotateSchema = {
  type: "object",
  additionalProperties: false,
  properties: { service: { type: "string", maxLength: 64 } },
} as const;

export async function startRegistry(identity: Identity): Promise<void> {
  const { plan, instance } = identity;
  const book = new RegistryBook(EXPIRY_MS);
  const app = createApp(identity.instance.name, () => ({ members: book.members().length }));
  const events = openEventLog(plan.events, instance.name, (problem) => app.http.log.error(problem));
  addRoutes(app.http, plan, book, events);
  addGauges(app, book);
  const timer = setInterval(() => {
    const now = Date.now();
    for (const gone of book.expire(now)) {
      app.http.log.warn({ gone: gone.instance }, "expired");
      events.note(silenceOf(gone, EXPIRY_MS), now);
    }
  }, 1000);
  await runService(identity, app, {
    stop: async () => {
      clearInterval(timer);
      events.close(Date.now());
    },
  });
}

function addRoutes(http: FastifyInstance, plan: Plan, book: RegistryBook, events: EventLog): void {
  const senders = new Places(plan);
  // inside its own container the operator is at loopback; in the lab the registry does not listen there
  const own = new Set([...hostAddresses(plan), "127.0.0.1"]);
  /** An instance of the plan may speak only for itself. */
  const refusal = async (report: Report, from: string): Promise<string | undefined> => {
    const place = plan.instances.find(
      ({ name, service }) =>
        service === report.service &&
        (name === report.instance || (plan.named && report.instance.startsWith(`${name}-`))),
    );
    if (!place || !(await standsAt(place, report.address)))
      return `${report.instance} is not an instance of ${report.service} at ${report.address}`;
    if (!place.ports.includes(report.port)) return `${report.service} does not use port ${report.port}`;
    if (from !== report.address) return "an instance registers only itself";
    const other = book
      .members()
      .find(({ address, instance }) => address === from && instance !== report.instance);
    return other && `${from} is registered as ${other.instance}`;
  };
  /** Why the report is rejected; undefined: it is accepted. */
  const refuse = async (report: Report, from: string): Promise<string | undefined> => {
    const reason = await refusal(report, from);
    if (reason)
      events.note(refusedRegistration(report.instance, senders.nameOf(from), from, reason), Date.now());
    return reason;
  };
  const tell = (report: Report, change: Change): void => {
    for (const event of eventsOfReport(report, change)) events.note(event, Date.now());
  };

  http.post<{ Body: Report }>("/register", { schema: { body: reportSchema } }, async (request, reply) => {
    const reason = await refuse(request.body, request.ip);
    if (reason) return reply.code(403).send({ error: reason });
    tell(request.body, book.register(request.body, Date.now()));
    request.log.info({ member: request.body.instance, port: request.body.port }, "registered");
    return reply.code(201).send({ rotation: book.rotation(request.body.service) });
  });

  http.post<{ Body: Report }>(
    "/heartbeat",
    { schema: { body: reportSchema }, logLevel: "warn" },
    async (request, reply) => {
      const reason = await refuse(request.body, request.ip);
      if (reason) return reply.code(403).send({ error: reason });
      const change = book.heartbeat(request.body, Date.now());
      if (!change) return reply.code(404).send({ error: "not registered" });
      tell(request.body, change);
      return reply.send({ rotation: book.rotation(request.body.service) });
    },
  );

  http.delete<{ Params: { instance: string } }>("/instances/:instance", (request, reply) => {
    const member = book.members().find(({ instance }) => instance === request.params.instance);
    if (member && member.address !== request.ip)
      return reply.code(403).send({ error: "an instance deregisters only itself" });
    const known = book.deregister(request.params.instance, Date.now());
    return reply.code(known ? 200 : 404).send(known ? { status: "gone" } : { error: "not registered" });
  });

  http.get<{ Querystring: { services: string } }>(
    "/discover",
    {
      logLevel: "warn",
      schema: {
        querystring: {
          type: "object",
          required: ["services"],
          properties: { services: { type: "string", minLength: 1, maxLength: 400 } },
        },
      },
    },
    (request) => {
      const wanted = request.query.services
        .split(",")
        .filter((service) => Object.hasOwn(plan.calls, service));
      return { services: Object.fromEntries(wanted.map((service) => [service, book.discover(service)])) };
    },
  );

  http.get<{ Params: { service: string } }>("/discover/:service", (request, reply) => {
    const { service } = request.params;
    if (!Object.hasOwn(plan.calls, service)) return reply.code(404).send({ error: "no such service" });
    return reply.send({ service, instances: book.discover(service) });
  });

  http.get("/services", () => ({
    services: [...new Set(book.members().map((member) => member.service))].sort(),
  }));
  http.get("/status", () => ({
    members: book.members(),
    expired: book.expired,
    rotations: Object.fromEntries(Object.keys(plan.calls).map((name) => [name, book.rotation(name)])),
  }));
  http.get("/history", () => ({ history: book.history() }));

  http.post<{ Body: { service?: string } }>(
    "/rotate",
    { schema: { body: rotateSchema } },
    (request, reply) => {
      if (!own.has(request.ip)) return reply.code(403).send({ error: "only the host asks for rotations" });
      const moving = [
        ...new Set(plan.instances.filter((place) => place.moving).map((place) => place.service)),
      ];
      const { service } = request.body;
      if (service !== undefined && !moving.includes(service))
        return reply.code(400).send({ error: `${service} does not move; these do: ${moving.join(", ")}` });
      const services = service === undefined ? moving : [service];
      const rotations = services.map((name) => [name, book.requestRotation(name)]);
      return reply.code(202).send({ rotations: Object.fromEntries(rotations) });
    },
  );
}

/** Whether the address belongs to the instance: equal to its own, or in containers one of its name's. */
async function standsAt({ address }: Instance, candidate: string): Promise<boolean> {
  const found = await lookup(address, { all: true }).catch(() => []);
  return found.some((place) => place.address === candidate);
}

function addGauges(app: App, book: RegistryBook): void {
  new Gauge({
    name: "registry_members",
    help: "Instances registered now.",
    registers: [app.metrics],
    collect() {
      this.set(book.members().length);
    },
  });
  new Gauge({
    name: "registry_expired_total",
    help: "Instances forgotten because they fell silent.",
    registers: [app.metrics],
    collect() {
      this.set(book.expired);
    },
  });
}
