/** Whether a JSON text that anyone may have written has room in memory, told before it is parsed. */
import { getHeapStatistics } from "node:v8";
import { exceededLimit } from "../../capture/names/json-limits.js";

/** Heap that a value or key may take while it is parsed. Keys of one big object take most: their table grows by copying. */
const BYTES_A_VALUE = 200;
/** Deeper than any document of netwatch. */
const MAX_DEPTH = 1000;

/** Throws an Error of few words where the text has more values than `heap` bytes hold, or is nested too deeply. */
export function checkRoom(json: string, heap = getHeapStatistics().heap_size_limit): void {
  const values = Math.floor(heap / BYTES_A_VALUE);
  if (json.length <= Math.min(values, MAX_DEPTH)) return;
  const exceeded = exceededLimit(json, { depth: MAX_DEPTH, values });
  if (exceeded === "depth") throw new Error("nested too deeply");
  if (exceeded === "values") throw new Error(`more than ${values} values, for which memory has no room`);
}
