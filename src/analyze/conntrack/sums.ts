/** Rows of a table of connections that are summed by a key: cheap while there are many, made only when they are read. */
import { Value } from "../../capture/conntrack/conntrack-table.js";
import { HeadOrder } from "../flow/head-order.js";
import { Keys } from "../flow/keys.js";
import type { Cell, Column, Row, Table } from "../snapshot/snapshot.js";
import { createTable } from "../tables/table.js";

/** What a row may count. `packets` and `bytes` are of the entries that have counters; null: none has. */
export type SummedColumn = "connections" | "assured" | "packets" | "bytes";

const FIRST_ROWS = 256;

/** Makes the cells of a row that are not counted. */
type CellsOf = (row: number) => Readonly<Record<string, Cell>>;
/** What rows of equally many connections are ordered by: the first of these texts that differs. */
type TextOf = (row: number) => string;

interface SumsTable {
  /** Rows that a summary shows. */
  readonly top: number;
  readonly counted: readonly SummedColumn[];
  readonly cells: CellsOf;
  readonly texts: readonly TextOf[];
}

/** Sums by keys of a few whole numbers each. Rows are numbered from 0 on in the order their keys come. */
export class Sums {
  /** Where the key is put before `add`. */
  readonly key: Int32Array;
  readonly #keys: Keys;
  readonly #sums: Record<SummedColumn, Float64Array> = {
    connections: new Float64Array(FIRST_ROWS),
    assured: new Float64Array(FIRST_ROWS),
    packets: new Float64Array(FIRST_ROWS).fill(Number.NaN),
    bytes: new Float64Array(FIRST_ROWS).fill(Number.NaN),
  };

  /** `width`: numbers a key. */
  constructor(width: number) {
    this.#keys = new Keys(width);
    this.key = this.#keys.key;
  }

  get count(): number {
    return this.#keys.count;
  }

  /** Counts a connection in the row of `key` and gives the row. */
  add(): number {
    const row = this.#keys.intern();
    if (row === this.#sums.connections.length) this.#grow();
    this.#sums.connections[row] = this.#sums.connections[row]! + 1;
    return row;
  }

  addAssured(row: number): void {
    this.#sums.assured[row] = this.#sums.assured[row]! + 1;
  }

  /** Adds both directions of an entry, whose numbers start at `at`, where it has counters. */
  addCounters(row: number, numbers: Float64Array, at: number): void {
    const packets = numbers[at + Value.origPackets]!;
    if (Number.isNaN(packets)) return;
    const { packets: ofPackets, bytes: ofBytes } = this.#sums;
    ofPackets[row] = (ofPackets[row] || 0) + packets + numbers[at + Value.replyPackets]!;
    ofBytes[row] = (ofBytes[row] || 0) + numbers[at + Value.origBytes]! + numbers[at + Value.replyBytes]!;
  }

  /** Number `i` of a row's key. */
  keyOf(row: number, i: number): number {
    return this.#keys.word(row, i);
  }

  /** The rows as a table: most connections first, equal ones by their texts. */
  table(
    name: string,
    title: string,
    columns: readonly Column[],
    { top, counted, cells, texts }: SumsTable,
  ): Table {
    const { count } = this;
    const { connections } = this.#sums;
    const total: Record<string, number> = {};
    for (const column of counted)
      total[column] = this.#sums[column].subarray(0, count).reduce((all, sum) => all + (sum || 0), 0);
    const order = new HeadOrder(
      count,
      (x, y) => connections[y]! - connections[x]! || compareTexts(texts, x, y),
    );
    const rowAt = (i: number): Row => {
      const row = order.at(i);
      const sums = counted.map((column) => {
        const sum = this.#sums[column][row]!;
        return [column, Number.isNaN(sum) ? null : sum];
      });
      return { ...cells(row), ...Object.fromEntries(sums) };
    };
    return createTable({
      name,
      title,
      subject: "tracking",
      top,
      columns,
      length: count,
      rowAt,
      other: null,
      omitted: 0,
      total,
    });
  }

  #grow(): void {
    const rows = this.#sums.connections.length;
    for (const [column, blank] of BLANKS) {
      const larger = new Float64Array(rows * 2).fill(blank);
      larger.set(this.#sums[column]);
      this.#sums[column] = larger;
    }
  }
}

const BLANKS: readonly (readonly [SummedColumn, number])[] = [
  ["connections", 0],
  ["assured", 0],
  ["packets", Number.NaN],
  ["bytes", Number.NaN],
];

function compareTexts(texts: readonly TextOf[], x: number, y: number): number {
  for (const text of texts) {
    const [ofX, ofY] = [text(x), text(y)];
    if (ofX !== ofY) return ofX < ofY ? -1 : 1;
  }
  return 0;
}
