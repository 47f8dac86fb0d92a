/** The rows of a Snapshot's tables kept as the bytes of its file: what a row is made of is there only while it is read. */

/** No row of netwatch is longer. */
const MAX_ROW = 1024 * 1024;

const enum Byte {
  quote = 0x22,
  comma = 0x2c,
  colon = 0x3a,
  open = 0x5b,
  backslash = 0x5c,
  close = 0x5d,
  /** `[` and `{`, `]` and `}` differ in this bit alone. */
  brace = 0x20,
}

/** Rows in JSON, one after another. Borrows the bytes; each iteration makes the rows again. */
export class RowText implements Iterable<object> {
  readonly #bytes: Buffer;
  /** Where each row begins and ends. */
  readonly #ends: number[] = [];

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get length(): number {
    return this.#ends.length / 2;
  }

  /** Throws an Error of few words where bytes [at, end) are no JSON object. */
  add(at: number, end: number): void {
    if (end - at > MAX_ROW) throw new Error("not a snapshot: a row is too long");
    const row = this.#parse(at, end);
    if (typeof row !== "object" || row === null || Array.isArray(row))
      throw new Error("not a snapshot: a row that is no object");
    this.#ends.push(at, end);
  }

  *[Symbol.iterator](): Iterator<object> {
    for (let i = 0; i < this.#ends.length; i += 2)
      yield this.#parse(this.#ends[i]!, this.#ends[i + 1]!) as object;
  }

  #parse(at: number, end: number): unknown {
    try {
      return JSON.parse(this.#bytes.toString("utf8", at, end));
    } catch {
      throw new Error("not JSON");
    }
  }
}

/** A Snapshot's JSON whose tables have no rows, and the rows by table; of connection tracking's under null. */
export interface SplitSnapshot {
  readonly json: string;
  readonly rows: ReadonlyMap<string | null, RowText>;
}

/** Parts a Snapshot's JSON (UTF-8) from its rows. Throws an Error of few words where a row cannot be read. Linear; keeps the bytes. */
export function splitRows(bytes: Buffer): SplitSnapshot {
  const rows = new Map<string | null, RowText>();
  const pieces: Buffer[] = [];
  /** Of each object that is open, down to a table's: the key last read. */
  const keys: (string | undefined)[] = [];
  let [depth, copied, text] = [0, 0, 0];
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === Byte.quote) {
      text = i;
      i = stringEnd(bytes, i) - 1;
    } else if (byte === Byte.colon && depth <= 3) keys[depth] = keyOf(bytes, text);
    else if (byte === Byte.open && depth === 3 && tableOf(keys) !== undefined) {
      const table = new RowText(bytes);
      rows.set(tableOf(keys) ?? null, table);
      pieces.push(bytes.subarray(copied, i + 1));
      i = copied = rowsEnd(bytes, i + 1, table);
    } else if ((byte & ~Byte.brace) === Byte.open) keys[++depth] = undefined;
    else if ((byte & ~Byte.brace) === Byte.close) depth--;
  }
  pieces.push(bytes.subarray(copied));
  return { json: Buffer.concat(pieces).toString("utf8"), rows };
}

/** The table whose `rows` these keys lead to, null of connection tracking's; undefined: they lead elsewhere. */
function tableOf([, first, second, third]: readonly (string | undefined)[]): string | null | undefined {
  if (third !== "rows" || second === undefined) return undefined;
  if (first === "tables") return second;
  return first === "conntrack" && second === "connections" ? null : undefined;
}

function keyOf(bytes: Buffer, at: number): string | undefined {
  try {
    return String(JSON.parse(bytes.toString("utf8", at, Math.min(stringEnd(bytes, at), at + MAX_ROW))));
  } catch {
    return undefined;
  }
}

/** Behind the string that begins at `at`. */
function stringEnd(bytes: Buffer, at: number): number {
  let i = at + 1;
  while (i < bytes.length && bytes[i] !== Byte.quote) i += bytes[i] === Byte.backslash ? 2 : 1;
  return Math.min(i + 1, bytes.length);
}

/** Adds the elements of the array from `at` on. Returns where its bracket closes. */
function rowsEnd(bytes: Buffer, at: number, rows: RowText): number {
  let [depth, from] = [0, at];
  for (let i = at; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte === Byte.quote) i = stringEnd(bytes, i) - 1;
    else if (byte === Byte.comma && depth === 0) {
      rows.add(from, i);
      from = i + 1;
    } else if ((byte & ~Byte.brace) === Byte.open) depth++;
    else if ((byte & ~Byte.brace) === Byte.close && depth-- === 0) {
      if (rows.length > 0 || bytes.toString("latin1", from, i).trim() !== "") rows.add(from, i);
      return i;
    }
  }
  throw new Error("not JSON");
}
