/** Shared option values: closed sets and checked values. Small: loaded at every start. */
import { InvalidArgumentError } from "commander";
import type { ConntrackTableName } from "../analyze/snapshot/snapshot.js";

export const OUTPUT_FORMATS = ["table", "json", "ndjson", "csv", "markdown"] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** Lists have no Markdown. */
export const LIST_FORMATS = ["table", "json", "ndjson", "csv"] as const;
export type ListFormat = (typeof LIST_FORMATS)[number];

/** The values of `--table`. Loads the analysis, which the commands that print tables load anyway. */
export async function loadTableNames(): Promise<readonly string[]> {
  const { TABLE_NAMES } = await import("../analyze/tables.js");
  return TABLE_NAMES;
}

export const CONNTRACK_TABLE_NAMES = [
  "services",
  "states",
  "nat",
  "established",
  "limits",
  "connections",
] as const satisfies readonly ConntrackTableName[];

/** A whole number from `least` to `most`. */
export function parsePositive(most: number, least = 1): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (!/^\d{1,15}$/.test(text) || n < least || n > most)
      throw new InvalidArgumentError(`must be a whole number from ${least} to ${most}.`);
    return n;
  };
}

/** A date as ISO 8601; UTC without a zone, so that the same text means the same everywhere. */
export function parseDate(text: string): Date {
  const match = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})?)?$/.exec(text);
  const date = new Date(match && match[1] !== undefined && match[4] === undefined ? `${text}Z` : text);
  if (!match || Number.isNaN(date.getTime()))
    throw new InvalidArgumentError("must be ISO 8601, for example 2026-11-22 or 2026-11-22T10:00:00Z.");
  return date;
}

/** URL of a plain HTTP service. */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "http:") throw new InvalidArgumentError("must be http://host:port.");
  return url;
}
