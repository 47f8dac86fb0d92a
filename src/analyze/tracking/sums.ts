/** Rows of a table of connections that are summed by a key: cheap while there are many, made only when they are read. */
import { Value } from "../../capture/conntrack/conntrack-table.js";
import type { Cell, Column, Row, Table } from "../snapshot.js";
import { createTable } from "../tables/table.js";

/** What one row counts. */
interface Sum {
  readonly key: string;
  /** Makes the cells that are not counted. */
  readonly cells: () => Readonly<Record<string, Cell>>;
  connections: number;
  assured: number;
  /** Of the entries that have counters; null: none has. */
  packets: number | null;
  bytes: number | null;
}

/** Sums by key. `counted` are the columns that are summed, of those that a sum has. */
export class Sums {
  readonly #sums = new Map<string, Sum>();
  readonly #counted: readonly (keyof Omit<Sum, "key" | "cells">)[];

  constructor(counted: readonly (keyof Omit<Sum, "key" | "cells">)[]) {
    this.#counted = counted;
  }

  /** Counts a connection in the row of this key. */
  add(key: string, cells: () => Readonly<Record<string, Cell>>): Sum {
    let sum = this.#sums.get(key);
    if (!sum) {
      sum = { key, cells, connections: 0, assured: 0, packets: null, bytes: null };
      this.#sums.set(key, sum);
    }
    sum.connections++;
    return sum;
  }

  /** The rows as a table: most connections first, equal ones by their keys. */
  table(name: string, title: string, columns: readonly Column[]): Table {
    const sums = [...this.#sums.values()];
    let sorted = false;
    const total: Record<string, number> = {};
    for (const column of this.#counted)
      total[column] = sums.reduce((all, sum) => all + (sum[column] ?? 0), 0);
    const rowAt = (i: number): Row => {
      // Not before somebody looks: a scanner makes rows by the ten thousand.
      if (!sorted) sums.sort((x, y) => y.connections - x.connections || (x.key < y.key ? -1 : 1));
      sorted = true;
      const sum = sums[i]!;
      return { ...sum.cells(), ...Object.fromEntries(this.#counted.map((column) => [column, sum[column]])) };
    };
    return createTable({ name, title, columns, length: sums.length, rowAt, other: null, omitted: 0, total });
  }
}

/** Adds both directions of an entry that has counters. */
export function addCounters(sum: Sum, numbers: Float64Array, at: number): void {
  const packets = numbers[at + Value.origPackets]!;
  if (Number.isNaN(packets)) return;
  sum.packets = (sum.packets ?? 0) + packets + numbers[at + Value.replyPackets]!;
  sum.bytes = (sum.bytes ?? 0) + numbers[at + Value.origBytes]! + numbers[at + Value.replyBytes]!;
}
