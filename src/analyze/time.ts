/** Microseconds since 1970 as text. */

/** The second formatted last: rows of one table share few. */
let lastSeconds = Number.NaN;
let lastText = "";

/**
 * ISO 8601 in UTC with six digits of a second, `2026-11-22T10:31:05.123456Z`, or nine where there are `nanos` (0 to 999).
 * Exact; `us` is whole and not negative.
 */
export function formatTime(us: number, nanos = 0): string {
  const seconds = Math.floor(us / 1e6);
  if (seconds !== lastSeconds) {
    lastSeconds = seconds;
    lastText = new Date(seconds * 1000).toISOString().slice(0, -5);
  }
  const fraction = String(us - seconds * 1e6).padStart(6, "0");
  const finer = nanos === 0 ? "" : String(nanos).padStart(3, "0");
  return `${lastText}.${fraction}${finer}Z`;
}
