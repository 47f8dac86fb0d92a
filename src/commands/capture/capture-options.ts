/** What can be asked of `netwatch capture` beside what a live run is asked. Light: loaded at every start. */
import type { LiveWords } from "./live-words.js";

export const CAPTURE_FORMATS = ["table", "json", "ndjson", "csv"] as const;
export type CaptureFormat = (typeof CAPTURE_FORMATS)[number];

export interface CaptureCommandOptions extends LiveWords {
  readonly output?: CaptureFormat;
  readonly table?: string;
  /** Networks of a container engine: their bridges are listened to. */
  readonly network?: readonly string[];
}
