/** Records packets as pcapng while they pass: to one file, to a ring of files, or to a stream. */

import type { EmbeddedName, Packet } from "../packet.js";
import {
  type CaptureFile,
  openCaptureFile,
  type Rotation,
  removeOldest,
  rotatedName,
} from "./capture-file.js";
import { type InterfaceDescription, type InterfaceStatistics, PcapngWriter } from "./pcapng-writer.js";

/** Bytes gathered before they are written. */
const WRITE_BYTES = 256 * 1024;

export interface RecorderOptions {
  readonly application: string;
  readonly interfaces: readonly InterfaceDescription[];
  /** Buffer for the packets, fastest in the ArrayBuffer the packets lie in; null: the recorder allocates one. */
  readonly room: Uint8Array | null;
  /** null: no ring of files. */
  readonly rotation: Rotation | null;
  /** Asked when a file ends: what the interfaces have lost in all, in their order. */
  readonly statistics: () => readonly InterfaceStatistics[];
  /** Asked when a file ends: names of the addresses seen. */
  readonly names: () => readonly EmbeddedName[];
}

/** A stream that takes bytes and says when it can take more. */
export type ByteStream = (pieces: Iterable<Uint8Array>) => Promise<void>;

/** Takes packets. `add` never waits; where it says true, await `flush` before the next packet. */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #writer: PcapngWriter;
  readonly #target: string | ByteStream;
  /** Files of the ring, oldest first; empty without a ring. */
  readonly #paths: string[] = [];
  #file: CaptureFile | null = null;
  #packets = 0;
  #lastUs = 0;
  /** When the current file was begun, on the clock of `tick`. */
  #begunMs: number;
  /** Losses of the interfaces when the current file was begun: each file contains its own losses. */
  #before: readonly InterfaceStatistics[] = [];
  #ended = false;
  /** Files begun so far. */
  files = 0;
  /** Bytes of the files that are done. */
  #bytes = 0;

  /** `target`: a path, or a stream. `now`: wall clock, for file names; `nowMs`: a clock that only runs forward. */
  constructor(target: string | ByteStream, options: RecorderOptions, now: Date, nowMs: number) {
    this.#target = target;
    this.#options = options;
    this.#writer = new PcapngWriter(options.room ?? undefined);
    this.#begunMs = nowMs;
    this.#begin(now);
  }

  /** Bytes recorded in all. */
  get bytes(): number {
    return this.#bytes + (this.#ended ? 0 : (this.#file?.size ?? 0) + this.#writer.pending);
  }

  /** Records one packet. True: await `flush`. Throws the system's error where it cannot be written. */
  add(interfaceId: number, packet: Packet): boolean {
    const writer = this.#writer;
    writer.add(interfaceId, packet);
    this.#packets++;
    this.#lastUs = packet.timeUs;
    if (writer.pending < WRITE_BYTES) return false;
    if (this.#file === null) return true;
    this.#write(this.#file);
    return false;
  }

  /** Whether the current file is full: then call `rotate` before the next packet. */
  get isFull(): boolean {
    const rotation = this.#options.rotation;
    if (rotation === null || this.#file === null) return false;
    if (rotation.packets !== null && this.#packets >= rotation.packets) return true;
    return (
      rotation.filesize !== null &&
      Math.floor((this.#file.size + this.#writer.pending) / 1000) >= rotation.filesize
    );
  }

  /** Switches to the next file if the time of the current one is over; writes waiting bytes, so that readers see them. */
  async tick(now: Date, nowMs: number): Promise<void> {
    const limit = this.#options.rotation?.durationSeconds ?? null;
    if (limit !== null && nowMs - this.#begunMs >= limit * 1000) this.rotate(now, nowMs);
    else await this.flush();
  }

  /** Ends the current file and begins the next. */
  rotate(now: Date, nowMs: number): void {
    this.#finish();
    this.#begunMs = nowMs;
    this.#begin(now);
    removeOldest(this.#paths, this.#options.rotation?.files ?? null);
  }

  /** Writes the waiting bytes. */
  async flush(): Promise<void> {
    if (this.#writer.pending === 0 || this.#ended) return;
    if (this.#file !== null) this.#write(this.#file);
    else await (this.#target as ByteStream)([this.#writer.take().slice()]);
  }

  /** Ends the recording: names and losses, then the last bytes. */
  async close(): Promise<void> {
    if (this.#ended) return;
    this.#finish();
    if (this.#file === null) await this.flush();
    this.#ended = true;
  }

  /** The same synchronously, for when the program ends; writes nothing more to a stream. */
  closeNow(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#file !== null) this.#finish();
  }

  #begin(now: Date): void {
    const { application, interfaces, rotation, statistics } = this.#options;
    this.files++;
    this.#packets = 0;
    if (typeof this.#target === "string") {
      const path = rotation ? rotatedName(this.#target, this.files, now) : this.#target;
      this.#file = openCaptureFile(path);
      if (rotation && rotation.files !== null) this.#paths.push(path);
    }
    if (this.files > 1) this.#before = statistics();
    this.#writer.begin(application, interfaces);
  }

  #finish(): void {
    const { names, statistics } = this.#options;
    this.#writer.names(names());
    statistics().forEach((counts, i) => {
      this.#writer.statistics(i, this.#lastUs, since(counts, this.#before[i]));
    });
    if (this.#file === null) return;
    this.#write(this.#file);
    this.#bytes += this.#file.size;
    this.#file.close();
  }

  /** Closes a failed file with the bytes it has; nothing more is written. */
  #write(file: CaptureFile): void {
    try {
      file.write(this.#writer.take());
    } catch (error) {
      this.#ended = true;
      file.close();
      throw error;
    }
  }
}

function since(now: InterfaceStatistics, before: InterfaceStatistics | undefined): InterfaceStatistics {
  const less = (a: number | null, b: number | null | undefined) => (a === null ? null : a - (b ?? 0));
  return {
    received: less(now.received, before?.received),
    dropped: less(now.dropped, before?.dropped),
  };
}
