/** Health checks as the metrics show them: by service, never by address. */
import type { HealthReport } from "../../analyze/snapshot/snapshot.js";
import type { ExposedHealth } from "../../report/metrics/state.js";

/** A service of several servers is up when all that have been asked are; its times are those of the slowest. */
export function exposeHealth({ targets }: HealthReport): ExposedHealth[] {
  const services = new Map<string, ExposedHealth>();
  for (const { service: target, state, latency_seconds: seconds, own_delay_seconds: ownSeconds } of targets) {
    const before = services.get(target) ?? { target, up: null, seconds: null, ownSeconds: null };
    const up = state === "unknown" ? before.up : state !== "down" && before.up !== false;
    const isSlowest = seconds !== null && seconds >= (before.seconds ?? 0);
    services.set(target, isSlowest ? { target, up, seconds, ownSeconds } : { ...before, up });
  }
  return [...services.values()];
}
