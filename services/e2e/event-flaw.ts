import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";

const DOCUMENT = new URL("../../../services/events/event.schema.json", import.meta.url);

/** What is wrong with a line of an event log; empty when nothing is. */
export function flawOf(line: string): string {
  const ajv = new Ajv2020({ allErrors: false, strict: true, strictRequired: false, strictTypes: false });
  const isEvent = ajv.compile(JSON.parse(readFileSync(DOCUMENT, "utf8")));
  if (!/^[\x20-\x7e]{2,4096}$/.test(line)) return "not one line of plain ASCII, at most 4096";
  return isEvent(JSON.parse(line)) ? "" : ajv.errorsText(isEvent.errors);
}
