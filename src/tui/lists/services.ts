/** Services: their health and traffic. */
import type { Cell, HealthState, HealthTargetReport, Row } from "../../analyze/snapshot/snapshot.js";
import { formatClock } from "../../format.js";
import { numberOf } from "../../view/cells.js";
import type { Style } from "../chrome/cells.js";
import type { Glyphs } from "../chrome/glyphs.js";
import type { Model } from "../model.js";
import type { Grid, GridColumn } from "./grid.js";
import { serviceLists } from "./quality.js";

export const HEALTH_STYLES: Readonly<Record<HealthState, Style>> = {
  up: "good",
  degraded: "warn",
  down: "bad",
  unknown: "dim",
};
/** Checks shown in a strip. */
const STRIP = 20;

export function strip(history: readonly HealthState[], glyphs: Glyphs, length = STRIP): string {
  return history
    .slice(-length)
    .map((state) => glyphs.health[state])
    .join("");
}

/** One row per checked server, then one per service without checks. */
export function serviceGrid(model: Model, glyphs: Glyphs): Grid {
  const traffic = trafficByService(model);
  const asked = model.health?.targets ?? [];
  const checked = new Set(asked.map(({ service }) => service));
  const rows = [
    ...asked.map((target) => targetRow(target, traffic.get(target.service), glyphs)),
    ...[...traffic]
      .filter(([service]) => !checked.has(service))
      .map(([service, sums]) => seenRow(service, sums)),
  ];
  return {
    title: "Services",
    one: "Service",
    columns: columnsOf(asked.length > 0),
    rows,
    all: rows.length,
    omitted: 0,
    empty: "No service seen yet, and none to ask: --names FILE says which there are.",
    table: null,
    related: ({ service }) => serviceLists(model, service),
  };
}

function columnsOf(health: boolean): GridColumn[] {
  const style = ({ state }: Row): Style =>
    HEALTH_STYLES[String(state ?? "unknown").toLowerCase() as HealthState] ?? "plain";
  const checks: GridColumn[] = [
    { name: "state", title: "State", kind: "text", style },
    { name: "latency", title: "Latency", kind: "seconds" },
    { name: "p95", title: "p95", kind: "seconds", wide: 1 },
    { name: "availability", title: "Answered", kind: "ratio", wide: 1 },
  ];
  return [
    { name: "service", title: "Service", kind: "text" },
    ...(health ? [{ name: "at", title: "Asked at", kind: "text" } as const, ...checks] : []),
    { name: "sent", title: "Sent", kind: "bytes" },
    { name: "received", title: "Received", kind: "bytes", ...(health ? { wide: 1 } : {}) },
    ...(health
      ? ([
          { name: "history", title: "History", kind: "strip", style, wide: 1 },
          { name: "reason", title: "Why", kind: "text" },
          { name: "changed", title: "Since", kind: "text", value: sinceOf, wide: 1 },
          { name: "own", title: "Own delay", kind: "seconds", wide: 1 },
        ] as const)
      : []),
  ];
}

/** Time of the last change of state. */
function sinceOf({ changed }: Row): Cell {
  return changed == null ? null : formatClock(String(changed)).slice(0, 8);
}

interface Sums {
  sent: number;
  received: number;
}

/** By pairs: both ends of each. */
function trafficByService({ snapshot }: Model): Map<string, Sums> {
  const sums = new Map<string, Sums>();
  const of = (service: Cell | undefined) => {
    const known = sums.get(String(service)) ?? { sent: 0, received: 0 };
    sums.set(String(service), known);
    return known;
  };
  for (const { source, destination, bytes } of snapshot?.tables.pairs.rows ?? []) {
    of(source).sent += numberOf(bytes);
    of(destination).received += numberOf(bytes);
  }
  return sums;
}

function targetRow(target: HealthTargetReport, sums: Sums | undefined, glyphs: Glyphs): Row {
  const host = target.address.includes(":") ? `[${target.address}]` : target.address;
  return {
    service: target.service,
    at: `${host}:${target.port}`,
    state: target.state.toUpperCase(),
    latency: target.latency_seconds,
    own: target.own_delay_seconds,
    p50: target.p50_seconds,
    p95: target.p95_seconds,
    availability: target.availability,
    sent: sums?.sent ?? null,
    received: sums?.received ?? null,
    history: strip(target.history, glyphs),
    reason: target.reason ?? "",
    changed: target.changed,
    check: target.check,
  };
}

function seenRow(service: string, { sent, received }: Sums): Row {
  const unknown = { at: "", state: null, latency: null, own: null, p50: null, p95: null, availability: null };
  return { service, ...unknown, sent, received, history: "", reason: "", changed: null };
}
