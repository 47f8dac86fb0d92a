import type { Change, Report } from "../shop/registry-book.js";
import type { LabEvent } from "./event.js";

/** Events from an accepted report of an instance. */
export function eventsOfReport(report: Report, change: Change): LabEvent[] {
  const { service, instance, address, port } = report;
  const events: LabEvent[] = [];
  if (change.isBack)
    events.push({
      event: "health",
      severity: "notice",
      text: `${instance} is back`,
      fields: { service, instance, address, port, before: "down", state: "up" },
    });
  if (change.from !== undefined)
    events.push({
      event: "rotation",
      severity: "info",
      text: `${instance} moved from port ${change.from} to ${port}`,
      fields: { service, instance, address, from_port: change.from, to_port: port },
    });
  return events;
}

export function silenceOf({ service, instance, address, port }: Report, silentMs: number): LabEvent {
  const reason = `silent for ${silentMs / 1000} s`;
  return {
    event: "health",
    severity: "warning",
    text: `${instance} is down: ${reason}`,
    fields: { service, instance, address, port, before: "up", state: "down", reason },
  };
}

/** `client`: the owner of the source address. */
export function refusedRegistration(
  instance: string,
  client: string,
  address: string,
  reason: string,
): LabEvent {
  return {
    event: "registration-refused",
    severity: "warning",
    text: `${client} may not register as ${instance}: ${reason}`,
    fields: { instance, client, client_address: address },
  };
}
