/** `netwatch doctor`: what this machine can and cannot show, and the command that cures it. */
import stringWidth from "string-width";
import type { Table } from "../../analyze/snapshot/snapshot.js";
import { ExitCode } from "../../exit.js";
import { visible } from "../../format.js";
import { renderTableJson } from "../../report/data/json.js";
import type { Terminal } from "../terminal.js";
import { gatherFacts } from "./doctor-facts.js";
import { type Diagnosis, diagnose, type State } from "./doctor-findings.js";

export interface DoctorOptions {
  readonly output?: "table" | "json";
  readonly interface?: string;
}

/** Examines the machine and prints the findings. Always ends with 0. */
export async function doctor(options: DoctorOptions, terminal: Terminal): Promise<ExitCode> {
  const lines = diagnose(await gatherFacts(options.interface ?? null, terminal.env));
  await terminal.write(
    options.output === "json" ? renderTableJson(tableOf(lines)) : renderDoctor(lines, terminal),
  );
  return ExitCode.ok;
}

function tableOf(lines: readonly Diagnosis[]): Table {
  const columns = (["topic", "state", "why", "cure"] as const).map((name) => ({
    name,
    title: name,
    kind: "text" as const,
  }));
  return {
    name: "doctor",
    title: "Doctor",
    columns,
    rows: lines.map((line) => ({ ...line })),
    total: {},
    omitted: 0,
  };
}

const COLORS: Readonly<Record<State, string>> = { ok: "32", limited: "33", missing: "31" };
const STATE_WIDTH = "limited".length;
/** Smallest width for wrapped text. */
const MIN_TEXT = 20;

/** The lines for a person. A cure is on a line of its own, not wrapped, for copying. */
export function* renderDoctor(
  lines: readonly Diagnosis[],
  { width, color }: Pick<Terminal, "width" | "color">,
): Iterable<string> {
  const topics = lines.map(({ topic }) => visible(topic));
  const longest = Math.min(24, Math.max(...topics.map((topic) => stringWidth(topic))));
  const indent = " ".repeat(STATE_WIDTH + 2 + longest + 2);
  for (const [i, { state, why, cure }] of lines.entries()) {
    const shown = state.padEnd(STATE_WIDTH);
    const topic = topics[i]!;
    const head = `${color ? `\x1b[${COLORS[state]}m${shown}\x1b[39m` : shown}  ${topic}`;
    const fits = stringWidth(topic) <= longest;
    yield fits ? head + " ".repeat(longest - stringWidth(topic) + 2) : `${head}\n${indent}`;
    const words = visible(why).split(" ");
    yield `${breakLines(words, Math.max(MIN_TEXT, width - indent.length)).join(`\n${indent}`)}\n`;
    if (cure !== null) yield `${indent}$ ${cure}\n`;
  }
}

function breakLines(words: readonly string[], room: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && stringWidth(last) + 1 + stringWidth(word) <= room)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
