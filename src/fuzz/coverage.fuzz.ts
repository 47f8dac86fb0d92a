/** Which code of this project has run, counted by V8 (inspector protocol, Profiler.takePreciseCoverage). */
import { type Profiler, Session } from "node:inspector";

/** What has run since the last look. */
export interface Looked {
  /** Code ran that had not run before any earlier look. */
  readonly isNew: boolean;
  /** How often the block ran that ran most often. */
  readonly steps: number;
}

const ROOT = new URL("../../", import.meta.url).href;
const OWN = new URL("./", import.meta.url).href;

/** The project's compiled code, but for what fuzzes it. */
function isFollowed(url: string): boolean {
  return url.startsWith(ROOT) && !url.startsWith(OWN);
}

/**
 * Counts blocks of the code that is loaded while it is open: load what is to be followed after. V8 counts without inlining, so everything
 * runs slower. Close it.
 */
export class Coverage {
  readonly #session = new Session();
  /** By script and place of a function: a byte a character of it, 1 where it has run. */
  readonly #ran = new Map<string, Uint8Array>();
  /** Paths through a function that are in `#ran`: most repeat. */
  readonly #known = new Set<string>();

  readonly #follows: (url: string) => boolean;

  /** `follows`: whether the script at this URL is looked at. */
  constructor(follows = isFollowed) {
    this.#follows = follows;
    this.#session.connect();
    this.#post("Profiler.enable");
    this.#post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Returns the counts and resets them. `learn`: code that is new now is not new later. Costs some milliseconds. */
  look(learn: boolean): Looked {
    const { result } = this.#post("Profiler.takePreciseCoverage") as Profiler.TakePreciseCoverageReturnType;
    let isNew = false;
    let steps = 0;
    for (const { scriptId, url, functions } of result) {
      if (!this.#follows(url)) continue;
      for (const { ranges } of functions) {
        for (const { count } of ranges) steps = Math.max(steps, count);
        if (this.#isNew(scriptId, ranges, learn)) isNew = true;
      }
    }
    return { isNew, steps };
  }

  /** Whether new code of a function ran. Each range applies to its bytes except those of later, inner ranges. */
  #isNew(scriptId: string, ranges: readonly Profiler.CoverageRange[], learn: boolean): boolean {
    const { startOffset: from, endOffset: to } = ranges[0]!;
    const way = ranges.map(({ startOffset, endOffset, count }) => `${startOffset}-${endOffset}:${count > 0}`);
    const key = `${scriptId}:${way.join()}`;
    if (this.#known.has(key)) return false;
    const now = new Uint8Array(to - from);
    for (const { startOffset, endOffset, count } of ranges)
      now.fill(count > 0 ? 1 : 0, startOffset - from, endOffset - from);
    const place = `${scriptId}:${from}-${to}`;
    const ran = this.#ran.get(place) ?? new Uint8Array(to - from);
    let isNew = false;
    for (let i = 0; i < now.length && !isNew; i++) isNew = now[i]! > ran[i]!;
    if (learn || !isNew) {
      this.#known.add(key);
      for (let i = 0; i < now.length; i++) ran[i]! |= now[i]!;
      this.#ran.set(place, ran);
    }
    return isNew;
  }

  close(): void {
    this.#session.disconnect();
  }

  #post(method: string, params?: object): unknown {
    let answer: unknown;
    this.#session.post(method, params, (error, result) => {
      if (error) throw error;
      answer = result;
    });
    return answer;
  }
}
