/**
 * Reads a Snapshot that this or another version of netwatch wrote. What the schema does not know is passed over, a table that is missing
 * is empty: what a newer version adds, and what an older one lacks, keeps nobody from the rest.
 */
import { z } from "zod";
import { Analyzer } from "./analyzer.js";
import { buildSnapshot } from "./build.js";
import { SNAPSHOT_VERSION, type Snapshot, snapshotSchema } from "./snapshot.js";

/** Of facts that a Snapshot before them lacks. */
const BEFORE = {
  named: false,
  findings: [],
  series: { start: null, step: 1, classes: [] },
} as const;
const LEDGER_BEFORE = {
  interfaces: null,
  timeless: 0,
  malformed: [],
  dropped: null,
  evicted: { conversations: 0, packets: 0, bytes: 0 },
  inspection: { connections: 0, unfollowed: 0, gaps: 0, operations: 0 },
  unresolved_bytes: null,
  rounded: false,
} as const;

let reader: z.ZodType | null = null;

/** Reads a Snapshot from JSON text. Throws an Error of one line where it is none. */
export function parseSnapshot(json: string): Snapshot {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new Error(error instanceof RangeError ? "nested too deeply" : "not JSON");
  }
  reader ??= tolerant(snapshotSchema);
  const result = reader.safeParse(completed(value));
  if (result.success) return result.data as Snapshot;
  const issue = result.error.issues[0]!;
  const where = issue.path.join(".") || "value";
  throw new Error(`not a snapshot of version ${SNAPSHOT_VERSION}: ${where}: ${issue.message}`);
}

/** With what is missing filled in. Anything but an object is left to the schema. */
function completed(value: unknown): unknown {
  if (!isObject(value)) return value;
  const { ledger, tables } = value;
  return {
    ...BEFORE,
    ...value,
    ledger: isObject(ledger) ? { ...LEDGER_BEFORE, ...ledger } : ledger,
    tables: isObject(tables) ? { ...missingTables(tables), ...tables } : tables,
  };
}

/** Empty ones, with the columns they have today. */
function missingTables(tables: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const names = Object.keys(snapshotSchema.shape.tables.shape);
  if (names.every((name) => Object.hasOwn(tables, name))) return {};
  const empty = buildSnapshot(new Analyzer({ maxFlows: 1 }), {
    producer: "netwatch",
    files: [],
    dropped: null,
    names: null,
  });
  return Object.fromEntries(
    Object.entries(empty.tables).map(([name, table]) => [name, { ...table, rows: [] }]),
  );
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The same schema, for a reader: objects may have more keys, and a word that a list does not have is its last resort, `text`, where it has that. */
function tolerant(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodObject)
    return z.object(
      Object.fromEntries(
        Object.entries(schema.shape).map(([key, part]) => [key, tolerant(part as z.ZodType)]),
      ),
    );
  if (schema instanceof z.ZodArray) return z.array(tolerant(schema.element as z.ZodType));
  if (schema instanceof z.ZodNullable) return tolerant(schema.unwrap() as z.ZodType).nullable();
  if (schema instanceof z.ZodOptional) return tolerant(schema.unwrap() as z.ZodType).optional();
  if (schema instanceof z.ZodEnum && (schema.options as readonly unknown[]).includes("text"))
    return z
      .string()
      .transform((word) => ((schema.options as readonly unknown[]).includes(word) ? word : "text"));
  return schema;
}
