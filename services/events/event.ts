/** One line of the lab's event log. `deploy/events/event.schema.json` describes each event; the tests check against it. */

export type Severity = "info" | "notice" | "warning";

export type LabEventName =
  | "watch"
  | "rotation"
  | "retired-port-dial"
  | "vote-refused"
  | "proposal-refused"
  | "equivocation"
  | "answer-distrusted"
  | "certificate-refused"
  | "registration-refused"
  | "policy-drop"
  | "health"
  | "events-lost";

export type Fields = Readonly<Record<string, string | number>>;

export interface LabEvent {
  readonly event: LabEventName;
  readonly severity: Severity;
  /** One plain sentence. */
  readonly text: string;
  /** The fields that identify a repeated event. */
  readonly fields: Fields;
  /** Fields of this occurrence only. */
  readonly details?: Fields;
  /** How many times; one where absent. */
  readonly count?: number;
}

const MAX_TEXT = 400;
const MAX_FIELD = 200;

/** One line without its end: plain ASCII, bounded. `now`: milliseconds since the epoch. */
export function eventLine(event: LabEvent, reporter: string, now: number): string {
  const extra = Object.entries({ ...event.fields, ...event.details }).map(([name, value]) => [
    name,
    typeof value === "string" ? plain(value, MAX_FIELD) : value,
  ]);
  return JSON.stringify({
    format: "netwatch-event",
    version: 1,
    time: new Date(now).toISOString(),
    program: "lab",
    reporter,
    event: event.event,
    severity: event.severity,
    count: event.count ?? 1,
    text: plain(event.text, MAX_TEXT),
    ...Object.fromEntries(extra),
  });
}

/** What is not printable ASCII; backslashes before it, and before what reads like an escape. */
const ESCAPED = /[^\x20-\x7e]|\\+(?=[^\x20-\x7e]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})/g;

/**
 * Escapes everything except printable ASCII, `\x1b`, `\u202e`: safe in a terminal and in a log. Backslashes before that are
 * doubled, so that a text with the letters `\x1b` looks different.
 */
function plain(text: string, limit: number): string {
  const safe = text.slice(0, limit).replace(ESCAPED, (character) => {
    if (character.startsWith("\\")) return character + character;
    const hex = character.charCodeAt(0).toString(16);
    return hex.length > 2 ? `\\u${hex.padStart(4, "0")}` : `\\x${hex.padStart(2, "0")}`;
  });
  return safe.slice(0, limit);
}
