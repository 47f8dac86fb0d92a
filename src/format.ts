/**
 * Values as people read them. The only place that knows "1.5 MiB/s", and the only one that makes foreign text safe to show.
 *
 * Foreign text stays as it is inside of values and sentences, and nothing that begins with `format` changes it. Each output makes
 * it safe once, where it writes: by `visible`, or by `safeJson`. Twice would show a `\\x1b` where `\x1b` is meant.
 */
import type { Cell, ColumnKind } from "./analyze/snapshot/snapshot.js";

/**
 * The one list of unsafe characters, those that could move a cursor, switch a terminal, hide or reorder text, or look blank: controls,
 * format characters (direction marks, soft hyphen, tags, interlinear marks), line and paragraph separators, what Unicode lets a program
 * leave out (Hangul fillers, variation selectors), the blank Braille pattern, noncharacters and lone surrogates.
 */
const UNSAFE =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/gu;
/** JSON without such has no unsafe character: those of ASCII stand in it as escapes, DEL aside. */
const BEYOND_ASCII = /[^\u0000-\u007e]/;
/** Text of these alone is shown as it is. */
const PLAIN = /^[\u0020-\u005b\u005d-\u007e]*$/;
const IS_UNSAFE = new RegExp(UNSAFE.source, "u");
const EVERY = () => true;
/** What stands behind the backslash of an escape. */
const ESCAPE_LIKE = /x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{5,6}\}/y;

/**
 * The text with every unsafe character written out: `\x1b`, `\u202e`, and `\xff` for a byte that `decodePath` kept.
 * What is left is safe in a terminal, a log or a cell. `isShown`: which of the other code points can be shown; the rest is
 * written out too.
 *
 * A name that itself has the letters `\x1b` looks different: backslashes are doubled before what is written out and before what
 * reads like it. So an odd number of them begins an escape, an even number does not; all others stay (`C:\tmp`, `\d+`).
 */
export function visible(text: string, isShown: (codePoint: number) => boolean = EVERY): string {
  if (isShown === EVERY && PLAIN.test(text)) return text;
  let shown = "";
  let backslashes = "";
  let at = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (character === "\\") backslashes += character;
    else {
      const isEscaped = IS_UNSAFE.test(character) || !isShown(code);
      ESCAPE_LIKE.lastIndex = at;
      if (backslashes !== "")
        shown += isEscaped || ESCAPE_LIKE.test(text) ? backslashes + backslashes : backslashes;
      backslashes = "";
      shown += isEscaped ? escapeOf(code) : character;
    }
    at += character.length;
  }
  return shown + backslashes;
}

function escapeOf(code: number): string {
  if (code < 0x100 || (code >= 0xdc80 && code <= 0xdcff))
    return `\\x${(code & 0xff).toString(16).padStart(2, "0")}`;
  return code < 0x1_0000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
}

/** UTF-16 units of a label's value. */
const MAX_LABEL = 128;

/** Untrusted text as a label's value: unsafe characters escaped, length bounded. */
export function labelText(text: string): string {
  return Array.from(visible(text.slice(0, MAX_LABEL)))
    .slice(0, MAX_LABEL)
    .join("");
}

/** The same of a service at an end of an edge: not mistakable for `~other`. */
export function edgeLabel(name: string): string {
  const label = labelText(name);
  return label.startsWith("~") ? `\\${label}` : label;
}

/** The value as JSON, indented by so many spaces. Unsafe characters stand as \u escapes, so that it parses to the same value. */
export function safeJson(value: unknown, indent = 0): string {
  const json = JSON.stringify(value, null, indent);
  if (!BEYOND_ASCII.test(json)) return json;
  return json.replace(UNSAFE, (character) => (character === "\n" ? character : escapeUnits(character)));
}

/** The text as the escapes that JSON has for it: `\u202e`, of a pair of surrogates two. */
export function escapeUnits(text: string): string {
  let escaped = "";
  for (let i = 0; i < text.length; i++) escaped += `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`;
  return escaped;
}

const GROUPS = /\B(?=(\d{3})+$)/g;

/** 1234567 as `1,234,567`. */
export function formatCount(n: number): string {
  return String(Math.round(n)).replace(GROUPS, ",");
}

/** `1 packet`, `2 packets`, `0 entries`. */
export function formatCounted(n: number, noun: string): string {
  return `${formatCount(n)} ${n === 1 ? noun : pluralOf(noun)}`;
}

function pluralOf(noun: string): string {
  if (/[^aeiou]y$/.test(noun)) return `${noun.slice(0, -1)}ies`;
  return /(s|x|ch|sh)$/.test(noun) ? `${noun}es` : `${noun}s`;
}

const SINGULAR: Readonly<Record<string, string>> = {
  are: "is",
  were: "was",
  have: "has",
  do: "does",
  go: "goes",
};

/** The verb, given as it stands after a plural, that agrees with so many: of `were`, one `was`. */
export function agree(n: number, verb: string): string {
  if (n !== 1) return verb;
  return SINGULAR[verb] ?? `${verb}s`;
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

/** Bytes in binary units, three or four digits: `999 B`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1023.95 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}

/** Bytes a second: `1.5 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** How often in a second: `54.3`, `1,054`. */
export function formatFrequency(perSecond: number): string {
  return perSecond < 99.95 ? perSecond.toFixed(1) : formatCount(perSecond);
}

/** 0.123 as `12.3 %`; a part too small to show is `<0.1 %`. */
export function formatRatio(ratio: number): string {
  if (ratio > 0 && ratio < 0.0005) return "<0.1 %";
  return `${(ratio * 100).toFixed(1)} %`;
}

/** A span of time: `0 s`, `12 µs`, `3.4 ms`, `20.1 s`, `5 min 02 s`, `3 h 05 min`, `12 d 03 h`. */
export function formatDuration(seconds: number): string {
  if (seconds === 0) return "0 s";
  if (seconds < 0.000_999_5) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 0.999_95) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const pad = (n: number) => String(Math.floor(n)).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${pad((whole % 3600) / 60)} min`;
  return `${formatCount(Math.floor(whole / 86_400))} d ${pad((whole % 86_400) / 3600)} h`;
}

/** `2026-11-22 10:31:05` of an ISO 8601 time. */
export function formatInstant(iso: string): string {
  return iso.slice(0, 19).replace("T", " ");
}

/** `10:31:05.123` of an ISO 8601 time. */
export function formatClock(iso: string): string {
  return iso.slice(11, 23);
}

/** `2026-11-22 10:31:05 to 10:31:25 UTC`, the second date only where it differs; `no time` where there is none. */
export function formatSpan(start: string | null, end: string | null): string {
  if (start === null || end === null) return "no time";
  const last = formatInstant(end);
  return `${formatInstant(start)} to ${last.slice(0, 10) === start.slice(0, 10) ? last.slice(11) : last} UTC`;
}

/** A cell as a person reads it; `-` where there is nothing to say. Text stays as it is. */
export function formatCell(kind: ColumnKind, cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return "-";
  if (typeof cell !== "number") return kind === "time" ? formatClock(String(cell)) : String(cell);
  switch (kind) {
    case "bytes":
      return formatBytes(cell);
    case "packets":
    case "count":
      return formatCount(cell);
    case "ratio":
      return formatRatio(cell);
    case "milliseconds":
      return formatDuration(cell / 1000);
    case "seconds":
      return formatDuration(cell);
    default:
      return String(cell);
  }
}
