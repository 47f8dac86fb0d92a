import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

const DOCUMENT = new URL("../../../deploy/events/event.schema.json", import.meta.url);

/** The schema, compiled when it is first asked for. */
let compiled: ValidateFunction | undefined;

/** What is wrong with a line of an event log; empty when nothing is. */
export function flawOf(line: string): string {
  if (!/^[\x20-\x7e]{2,4096}$/.test(line)) return "not one line of plain ASCII, at most 4096";
  compiled ??= compile();
  return compiled(JSON.parse(line)) ? "" : new Ajv2020().errorsText(compiled.errors);
}

function compile(): ValidateFunction {
  const ajv = new Ajv2020({ allErrors: false, strict: true, strictRequired: false, strictTypes: false });
  return ajv.compile(JSON.parse(readFileSync(DOCUMENT, "utf8")));
}
