/** The monitor without a terminal: takes Snapshots, events and keys; returns lines to paint and actions. */
import type { NetworkEvent } from "../analyze/event-tracker.js";
import type { HealthReport, Snapshot } from "../analyze/snapshot/snapshot.js";
import type { TreeLine } from "../view/map/topology-tree.js";
import type { Line } from "./chrome/cells.js";
import { type Frame, type FrameLooks, layOut, type Size } from "./chrome/frame.js";
import { type Model, type NoteKind, note, withHealth, withSnapshot } from "./model.js";
import { click, type Effect, press, START, type State } from "./state.js";

export interface AppLooks extends Omit<FrameLooks, "size" | "notice"> {
  size(): Size;
  paint(lines: readonly Line[]): void;
}

/** The left button, or the wheel. */
export interface MouseEvent {
  readonly what: "click" | "up" | "down";
  readonly x: number;
  readonly y: number;
}

/** Rows per notch of the wheel. */
const WHEEL_ROWS = 3;

export class App {
  #model: Model;
  /** The shown state during a pause. */
  #held: Model | null = null;
  #state: State = START;
  #notice: string | null = null;
  #frame: Frame | null = null;
  readonly #looks: AppLooks;

  constructor(model: Model, looks: AppLooks) {
    this.#model = model;
    this.#looks = looks;
  }

  get state(): State {
    return this.#state;
  }

  /** The shown Snapshot, also the source of reports. */
  get model(): Model {
    return this.#held ?? this.#model;
  }

  get frame(): Frame {
    return this.#frame ?? this.draw();
  }

  /**
   * `seconds` have passed since the Snapshot before, in which `events` happened; `time` is when this one was made, else
   * that of its last packet.
   */
  onSnapshot(
    snapshot: Snapshot,
    tree: readonly TreeLine[],
    seconds: number,
    events?: readonly NetworkEvent[],
    time?: string,
  ): void {
    this.#change(withSnapshot(this.#model, snapshot, tree, seconds, events, time));
  }

  onHealth(report: HealthReport, events?: readonly NetworkEvent[]): void {
    this.#change(withHealth(this.#model, report, events));
  }

  onNote(kind: NoteKind, text: string, time: string | null): void {
    this.#change(note(this.#model, kind, text, time));
  }

  /** The source has ended: there is no current time any more. */
  onEnd(): void {
    this.#change({ ...this.#model, ended: true, rates: null, operationRates: null });
  }

  /** Shows a message until the next key. */
  say(notice: string): void {
    this.#notice = notice;
    this.draw();
  }

  /** Handles a key; returns actions beyond the screen. */
  onKey(key: string): Effect | null {
    this.#notice = null;
    const { state, effect } = press(this.#state, key, this.frame.shown);
    if (state.paused !== this.#state.paused) this.#held = state.paused ? this.#model : null;
    this.#state = state;
    this.draw();
    return effect;
  }

  /** Handles a mouse event in a cell, counted from 0. */
  onMouse({ what, x, y }: MouseEvent): void {
    this.#notice = null;
    if (what === "click") this.#state = click(this.#state, this.frame.hit(x, y));
    else
      for (let i = 0; i < WHEEL_ROWS; i++)
        this.#state = press(this.#state, what === "up" ? "up" : "down", this.frame.shown).state;
    this.draw();
  }

  draw(): Frame {
    const { size, color, glyphs, paint } = this.#looks;
    this.#frame = layOut(this.model, this.#state, { size: size(), color, glyphs, notice: this.#notice });
    paint(this.#frame.lines);
    return this.#frame;
  }

  #change(model: Model): void {
    this.#model = model;
    if (this.#held === null) this.draw();
  }
}
