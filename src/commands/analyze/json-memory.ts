/** Checks before parsing whether an untrusted JSON text fits in memory. */
import { getHeapStatistics } from "node:v8";
import { exceededLimit } from "../../capture/names/json-limits.js";

/** Most heap bytes per value or key during parsing. Keys of one big object need most: their table grows by copying. */
const BYTES_A_VALUE = 200;
/** Deeper than any document of netwatch. */
const MAX_DEPTH = 1000;

/** Throws a short Error if the text has more values than `heap` bytes hold, or is nested too deeply. */
export function checkRoom(json: string, heap = getHeapStatistics().heap_size_limit): void {
  const values = Math.floor(heap / BYTES_A_VALUE);
  if (json.length <= Math.min(values, MAX_DEPTH)) return;
  const exceeded = exceededLimit(json, { depth: MAX_DEPTH, values });
  if (exceeded === "depth") throw new Error("nested too deeply");
  if (exceeded === "values") throw new Error(`more than ${values} values, for which memory has no room`);
}
