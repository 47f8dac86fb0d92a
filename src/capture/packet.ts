/** The interface of every packet source: its packets and its own losses. */

/**
 * One packet, as a cursor that its source moves along: what it says holds until the source is asked for the next packet, and the bytes of
 * its frame stay where they are until `fill`. Copy what you keep.
 */
export interface Packet {
  /** The buffer that holds the frame, from `offset` for `caplen` bytes. The bytes around the frame belong to the source. */
  view: DataView;
  offset: number;
  /** Bytes captured. */
  caplen: number;
  /** Bytes on the wire. Usually >= caplen; a damaged or odd file may say otherwise. */
  length: number;
  /** Microseconds since 1970, whole, or Time.none. Finer clocks are rounded down: one packet, one time, in every format. */
  timeUs: number;
  /** The nanoseconds beyond `time`'s microseconds: 0 to 999. */
  nanos: number;
  /** LINKTYPE_ number of the frame's first header. */
  linkType: number;
}

export const enum Time {
  /** A packet without a time (pcapng's simple packet block). */
  none = -1,
}

/** The largest time that is exact as a number: the year 2255. Later (damaged) times are set to this. */
export const MAX_TIME_US = Number.MAX_SAFE_INTEGER;

/** A fresh cursor that points at nothing. */
export function createPacket(): Packet {
  return {
    view: new DataView(new ArrayBuffer(0)),
    offset: 0,
    caplen: 0,
    length: 0,
    timeUs: 0,
    nanos: 0,
    linkType: -1,
  };
}

/** Something wrong in a capture, and where. */
export interface Damage {
  /** Bytes from the start of the (uncompressed) capture to the record that is wrong. */
  readonly offset: number;
  readonly reason: string;
  /** True if reading could not continue. */
  readonly fatal: boolean;
}

/** An address and its name in the capture itself (pcapng name resolution block). */
export interface EmbeddedName {
  readonly address: string;
  readonly name: string;
}

/** A source's report on itself. Grows while the source runs. */
export interface SourceReport {
  /** The first few damages, in order of offset; `damageCount` counts them all. */
  readonly damages: Damage[];
  damageCount: number;
  readonly names: EmbeddedName[];
  /** Packets lost by the capturing machine (pcapng interface statistics); null: not in the capture. */
  dropped: number | null;
}

/** Damages kept in full; further ones are only counted. */
const DAMAGES_KEPT = 8;

/** An empty report. */
export function createReport(): SourceReport {
  return { damages: [], damageCount: 0, names: [], dropped: null };
}

/** Notes a damage in the report, within its bound. */
export function reportDamage(report: SourceReport, damage: Damage): void {
  report.damageCount++;
  if (report.damages.length < DAMAGES_KEPT) report.damages.push(damage);
}

/**
 * Where packets come from: a file, a pipe, a network interface. Pull: call `next` until it returns false, then `fill`, until
 * that returns false. One packet at a time, in `packet`.
 */
export interface PacketSource {
  /** Its name in the ledger and in messages. */
  readonly name: string;
  readonly packet: Packet;
  readonly report: SourceReport;
  /** Packets delivered so far. */
  readonly packets: number;
  /** Moves `packet` to the next packet that has already arrived. False: call `fill`. */
  next(): boolean;
  /** Waits for more. False: the source has ended. What the packets before lie in is used again. */
  fill(): Promise<boolean>;
  close(): void;
}

/** Decodes packets from bytes that arrive in pieces of any size. One per file format. */
export interface CaptureDecoder {
  readonly packet: Packet;
  readonly report: SourceReport;
  /** Moves `packet` to the next packet. False: the input holds no further whole packet (yet). */
  next(): boolean;
  /** Call at the end of input; left-over bytes are noted as damage. */
  end(): void;
  /** True after damage that stops reading. */
  readonly stopped: boolean;
}
