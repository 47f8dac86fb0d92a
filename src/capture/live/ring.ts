/**
 * Engine `ring`: a network interface through the kernel's AF_PACKET ring, version 3 (packet(7), linux/if_packet.h). The
 * kernel fills blocks of shared memory, this end walks them and returns them: no copy and no system call per packet.
 */
import { LinkType } from "../../net.js";
import { FilterMachine } from "../kernel/bpf.js";
import { acceptAll, compileFilter, encodeProgram, needsWholeFrames } from "../kernel/filter.js";
import type { Mapping, Readiness } from "../kernel/libc.js";
import { libc } from "../kernel/libc.js";
import { createPacket, createReport } from "../packet.js";
import type { KernelCounts, LiveOptions, LiveSource } from "./live.js";
import { whyEnded } from "./packet-socket.js";
import { type OpenedRing, openRing, RETIRE_MS, rebindRing } from "./ring-socket.js";

// struct tpacket_block_desc, its hdr_v1 included. Host byte order: little-endian, as every Linux that Node runs on.
const BLOCK_STATUS = 8;
const BLOCK_PACKETS = 12;
const BLOCK_FIRST = 16;
// struct tpacket3_hdr
const NEXT = 0;
const SECONDS = 4;
const NANOSECONDS = 8;
const CAPLEN = 12;
const LENGTH = 16;
const STATUS = 20;
const MAC = 24;
const VLAN_TCI = 32;
const VLAN_TPID = 36;
// TP_STATUS_
const KERNEL = 0;
const USER = 1;
const VLAN_VALID = 0x10;
const VLAN_TPID_VALID = 0x40;

const VLAN_BYTES = 4;
/** Two Ethernet addresses, which stand before the tag. */
const ADDRESSES = 12;
const DEFAULT_TPID = 0x8100;

const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const SOL_SOCKET = 1;
const SO_ERROR = 4;

/** Blocks walked before timers and signals get their turn. */
const TURN_BLOCKS = 8;
/** Milliseconds that a stopped ring waits for its last block: longer than the kernel's timer. */
const DRAIN_MS = RETIRE_MS * 3;

/** Milliseconds between checks for a missing interface; doubles each time. */
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 3200;

const NOTHING = new DataView(new ArrayBuffer(0));

/** Opens the interface. Throws CaptureError. */
export function openRingSource(options: LiveOptions): RingSource {
  const filtered = options.filter.trim() !== "";
  const here = filtered && needsWholeFrames(options.filter);
  const ring = openRing(options, (linkType) =>
    filtered && !here ? compileFilter(options.filter, linkType, options.snaplen) : acceptAll(options.snaplen),
  );
  try {
    const machine = here
      ? new FilterMachine(compileFilter(options.filter, ring.linkType, options.snaplen))
      : null;
    return new RingSource(ring, options, machine);
  } catch (error) {
    ring.mapping.unmap();
    libc().close(ring.fd);
    throw error;
  }
}

export class RingSource implements LiveSource {
  readonly name: string;
  readonly clock = "kernel";
  readonly packet = createPacket();
  readonly report = createReport();
  readonly linkType: number;
  readonly snaplen: number;
  readonly room: Uint8Array;
  packets = 0;
  ended: string | null = null;
  outages = 0;
  readonly #fd: number;
  readonly #ring: OpenedRing;
  readonly #waits: boolean;
  #retryMs = FIRST_RETRY_MS;
  readonly #mapping: Mapping;
  readonly #readiness: Readiness;
  readonly #view: DataView;
  readonly #status: Int32Array;
  readonly #blockBytes: number;
  readonly #blocks: number;
  readonly #machine: FilterMachine | null;
  readonly #tagged: boolean;
  readonly #totals = { received: 0, dropped: 0, freezes: 0 };
  readonly #statistics = new Uint8Array(12);
  /** Start of the current block, or of the next one. */
  #block = 0;
  /** Packets of it not yet delivered, and the offset of the next. */
  #left = 0;
  #at = 0;
  /** This end still owns the current block: `packet` may lie in it. */
  #held = false;
  #turn = 0;
  #state: "running" | "draining" | "closed" = "running";
  /** Ends a wait in `fill`. */
  #wake: () => void = () => {};
  #rejected = 0;

  constructor(ring: OpenedRing, options: LiveOptions, machine: FilterMachine | null) {
    this.name = options.interface;
    this.linkType = ring.linkType;
    this.snaplen = options.snaplen;
    this.packet.linkType = ring.linkType;
    this.#fd = ring.fd;
    this.#ring = ring;
    this.#waits = options.waits;
    this.#mapping = ring.mapping;
    this.#view = new DataView(ring.mapping.bytes);
    this.#status = new Int32Array(ring.mapping.bytes);
    this.room = new Uint8Array(ring.mapping.bytes, ring.blocks * ring.blockBytes);
    this.#blockBytes = ring.blockBytes;
    this.#blocks = ring.blocks;
    this.#machine = machine;
    this.#tagged = ring.linkType === LinkType.ethernet;
    this.packet.view = this.#view;
    this.#readiness = libc().pollFd(ring.fd);
  }

  next(): boolean {
    for (;;) {
      if (this.#left === 0 && (this.#held || !this.#takeBlock())) return false;
      this.#readPacket();
      if (this.#machine === null || this.#machine.matches(this.packet)) break;
      this.#rejected++;
    }
    this.packets++;
    return true;
  }

  /** Takes the next block, where the kernel is done with it. */
  #takeBlock(): boolean {
    if (!this.#isReadyOpen()) return false;
    this.#held = true;
    this.#left = this.#view.getUint32(this.#block + BLOCK_PACKETS, true);
    this.#at = this.#block + this.#view.getUint32(this.#block + BLOCK_FIRST, true);
    return this.#left > 0;
  }

  /** Gives the block at hand back: its packets are over. */
  #giveBack(): void {
    if (!this.#held || this.#state === "closed") return;
    Atomics.store(this.#status, (this.#block + BLOCK_STATUS) >> 2, KERNEL);
    this.#held = false;
    this.#block += this.#blockBytes;
    if (this.#block === this.#blocks * this.#blockBytes) this.#block = 0;
    this.#turn++;
  }

  #isReady(): boolean {
    return (Atomics.load(this.#status, (this.#block + BLOCK_STATUS) >> 2) & USER) !== 0;
  }

  #readPacket(): void {
    const view = this.#view;
    const at = this.#at;
    const packet = this.packet;
    const nanoseconds = view.getUint32(at + NANOSECONDS, true);
    const micros = (nanoseconds / 1000) | 0;
    packet.timeUs = view.getUint32(at + SECONDS, true) * 1e6 + micros;
    packet.nanos = nanoseconds - micros * 1000;
    packet.offset = at + view.getUint16(at + MAC, true);
    packet.caplen = view.getUint32(at + CAPLEN, true);
    packet.length = view.getUint32(at + LENGTH, true);
    const status = view.getUint32(at + STATUS, true);
    if ((status & VLAN_VALID) !== 0 && this.#tagged && packet.caplen >= ADDRESSES)
      this.#restoreTag(at, status);
    this.#at = at + view.getUint32(at + NEXT, true);
    this.#left--;
  }

  /** Moves the addresses to make room for the tag that the kernel removed. PACKET_RESERVE asked for this room. */
  #restoreTag(at: number, status: number): void {
    const view = this.#view;
    const packet = this.packet;
    const from = packet.offset;
    const to = from - VLAN_BYTES;
    for (let i = 0; i < ADDRESSES; i += 4) view.setInt32(to + i, view.getInt32(from + i));
    const tpid = (status & VLAN_TPID_VALID) !== 0 ? view.getUint16(at + VLAN_TPID, true) : DEFAULT_TPID;
    view.setUint16(to + ADDRESSES, tpid);
    view.setUint16(to + ADDRESSES + 2, view.getUint32(at + VLAN_TCI, true));
    packet.offset = to;
    packet.length += VLAN_BYTES;
    packet.caplen = Math.min(packet.caplen + VLAN_BYTES, this.snaplen);
  }

  async fill(): Promise<boolean> {
    this.#giveBack();
    if (this.#turn >= TURN_BLOCKS) {
      this.#turn = 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    while (!this.#isReadyOpen()) {
      if (this.#state === "closed") return false;
      if (this.#state === "draining" || (this.ended !== null && !this.#waits)) return this.#drain();
      this.#turn = 0;
      if (this.ended !== null) await this.#lookForReturn();
      else await this.#wait();
    }
    return true;
  }

  #isReadyOpen(): boolean {
    return this.#state !== "closed" && this.#isReady();
  }

  /** Waits until the kernel hands over a block, the interface fails, or `stop` is called. */
  async #wait(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#readiness.start(resolve);
    });
    if (this.#state === "closed") return;
    this.#readiness.stop();
    if (this.#isReady()) return;
    const error = new Uint8Array(4);
    libc().getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, error);
    if (error[0] === 0) return;
    this.ended = await whyEnded(this.#fd, () => this.#state === "closed");
    this.outages++;
    this.#retryMs = FIRST_RETRY_MS;
  }

  /** Waits, then checks whether the interface is back. The last block from before may arrive during the wait. */
  async #lookForReturn(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#retryMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (this.#state !== "running") return;
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    if (rebindRing(this.#ring, this.name)) this.ended = null;
  }

  /** Waits for the last block, which the kernel hands over by its timer. */
  async #drain(): Promise<boolean> {
    for (let waited = 0; waited < DRAIN_MS; waited += RETIRE_MS / 4) {
      if (this.#isReadyOpen()) return true;
      await new Promise((resolve) => setTimeout(resolve, RETIRE_MS / 4));
    }
    return this.#isReadyOpen();
  }

  stop(): void {
    if (this.#state !== "running") return;
    this.#state = "draining";
    libc().attachFilter(this.#fd, encodeProgram(acceptAll(0)));
    this.#wake();
  }

  counts(): KernelCounts {
    const totals = this.#totals;
    if (this.#state !== "closed") {
      // Reading resets the kernel's counters.
      libc().getsockopt(this.#fd, SOL_PACKET, PACKET_STATISTICS, this.#statistics);
      const view = new DataView(this.#statistics.buffer);
      totals.received += view.getUint32(0, true);
      totals.dropped += view.getUint32(4, true);
      totals.freezes += view.getUint32(8, true);
    }
    return { ...totals, received: totals.received - this.#rejected };
  }

  close(): void {
    if (this.#state === "closed") return;
    this.counts();
    this.#state = "closed";
    this.#left = 0;
    this.packet.view = NOTHING;
    this.packet.caplen = 0;
    this.#readiness.close();
    this.#mapping.unmap();
    libc().close(this.#fd);
    this.#wake();
  }
}
