/** A command's live run: waits for its named pipes; the result says how it ended. */

import type { LiveOptions } from "../../engine/recording/recorded-options.js";
import {
  type LiveResult,
  type LiveView,
  openRecording,
  type Recording,
} from "../../engine/recording/recording.js";
import { waitingFor } from "../signals.js";
import type { Terminal } from "../terminal.js";
import { asCommandError } from "./capture-errors.js";

/** Runs a capture to its end. Throws CommandError if it cannot start; the result has the reason of an early end. */
export async function runLive(
  options: LiveOptions,
  view: LiveView,
  producer: string,
  terminal: Terminal,
): Promise<LiveResult> {
  const open = () => openRecording(options, view, producer, terminal);
  const { write, sidecar } = options.recorded;
  const files = [options.enriching.names, write, sidecar, ...(view.reserve ?? [])];
  let recording: Recording;
  try {
    recording = view.isScreen ? await open() : await waitingFor(files, terminal, open);
  } catch (error) {
    throw asCommandError(error, terminal);
  }
  const { taps } = recording.run.taps;
  try {
    terminal.say(`listening on ${taps.map(({ source }) => source.name).join(", ")}; Ctrl-C ends it`);
    return await recording.execute();
  } finally {
    recording.close();
  }
}
