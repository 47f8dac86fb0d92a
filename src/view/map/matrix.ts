/** Bytes from each of the busiest services to each other, as a square. */
import type { Table } from "../../analyze/snapshot/snapshot.js";
import { numberOf } from "../cells.js";
import { countListed } from "../top-rows.js";

export interface Matrix {
  /** Busiest first. */
  readonly services: readonly string[];
  /** Bytes by source, then destination; 0: nothing. */
  readonly cells: readonly (readonly number[])[];
  /** Bytes in the cells, and in all of the table. */
  readonly bytes: number;
  readonly total: number;
  /** Whether services of the table have no row here. */
  readonly partial: boolean;
}

/** Rows read from the table, whose largest rows come first. */
const MAX_ROWS = 4000;

export function buildMatrix(pairs: Table, most: number): Matrix {
  const busy = new Map<string, number>();
  const add = (name: string, bytes: number) => busy.set(name, (busy.get(name) ?? 0) + bytes);
  const rows: { source: string; destination: string; bytes: number }[] = [];
  let left = Math.min(countListed(pairs), MAX_ROWS);
  for (const row of pairs.rows) {
    if (left-- <= 0) break;
    const bytes = numberOf(row.bytes);
    const [source, destination] = [String(row.source), String(row.destination)];
    rows.push({ source, destination, bytes });
    add(source, bytes);
    if (destination !== source) add(destination, bytes);
  }
  const services = choose(rows, most).sort((x, y) => busy.get(y)! - busy.get(x)! || (x < y ? -1 : 1));
  const indexes = new Map(services.map((name, i) => [name, i]));
  const cells = services.map(() => services.map(() => 0));
  const total = pairs.total.bytes ?? 0;
  let bytes = 0;
  for (const row of rows) {
    const [i, j] = [indexes.get(row.source), indexes.get(row.destination)];
    if (i === undefined || j === undefined) continue;
    cells[i]![j]! += row.bytes;
    bytes += row.bytes;
  }
  return { services, cells, bytes, total, partial: busy.size > services.length || bytes < total };
}

/** The services of the largest pairs: the services with the most traffic in total need not talk to each other. */
function choose(rows: readonly { source: string; destination: string }[], most: number): string[] {
  const chosen = new Set<string>();
  for (const { source, destination } of rows) {
    const news = new Set([source, destination].filter((name) => !chosen.has(name)));
    if (chosen.size + news.size <= most) for (const name of news) chosen.add(name);
    if (chosen.size === most) break;
  }
  return [...chosen];
}

/** Position of `bytes` between the smallest and the largest cell on a logarithmic scale: 0 to 1. */
export function heatOf(bytes: number, min: number, max: number): number {
  return max <= min ? 1 : Math.log(bytes / min) / Math.log(max / min);
}
