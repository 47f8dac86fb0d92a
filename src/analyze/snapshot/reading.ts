/**
 * Reads documents of other versions. A document's strict schema is what this version writes; input may have more or
 * less: unknown keys are ignored, a missing list is empty, a missing nullable value is null, an unknown word of a
 * closed set stays a word; refinements hold. A field that is added to a schema later is therefore optional, nullable, a list or a
 * table.
 */
import { z } from "zod";

/** Special schemas for reading, by the strict schema they replace. */
export type Instead = ReadonlyMap<z.ZodType, z.ZodType>;

/** The schema for reading, derived from the strict one. */
export function readerOf<T extends z.ZodType>(
  schema: T,
  instead: Instead = new Map(),
): z.ZodType<z.output<T>> {
  return read(schema, instead) as z.ZodType<z.output<T>>;
}

function read(schema: z.ZodType, instead: Instead): z.ZodType {
  const own = instead.get(schema);
  if (own !== undefined) return own;
  if (schema instanceof z.ZodObject) {
    const fields = Object.entries(schema.shape as Readonly<Record<string, z.ZodType>>);
    const shape = Object.fromEntries(fields.map(([name, field]) => [name, readField(field, instead)]));
    return schema.clone({ ...schema.def, shape, catchall: undefined });
  }
  if (schema instanceof z.ZodOptional) return read(schema.unwrap() as z.ZodType, instead).optional();
  if (schema instanceof z.ZodNullable) return read(schema.unwrap() as z.ZodType, instead).nullable();
  if (schema instanceof z.ZodArray)
    return schema.clone({ ...schema.def, element: read(schema.element as z.ZodType, instead) });
  if (schema instanceof z.ZodRecord)
    return schema.clone({ ...schema.def, valueType: read(schema.valueType as z.ZodType, instead) });
  if (schema instanceof z.ZodDiscriminatedUnion || schema instanceof z.ZodUnion) {
    const options = (schema.options as readonly z.ZodType[]).map((option) => read(option, instead));
    return schema.clone({ ...schema.def, options });
  }
  return schema instanceof z.ZodEnum ? z.string() : schema;
}

/** A field of an object: it may be missing where an empty list or `null` says the same. */
function readField(field: z.ZodType, instead: Instead): z.ZodType {
  const reader = read(field, instead);
  if (field instanceof z.ZodNullable) return reader.default(null);
  return field instanceof z.ZodArray && !instead.has(field) ? reader.default([]) : reader;
}
