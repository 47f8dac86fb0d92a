/**
 * Engine `cap`: the npm package of that name, over libpcap. For comparison and for systems without AF_PACKET: it passes no
 * packet time, no original length and no count of losses, and costs a call a packet.
 */
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { LinkType } from "../../net.js";
import { compileFilter, matchTagged } from "../kernel/filter.js";
import { type Libc, libc, type Readiness } from "../kernel/libc.js";
import { withNetns } from "../kernel/netns.js";
import { createPacket, createReport } from "../packet.js";
import { CaptureError, type KernelCounts, type LiveOptions, type LiveSource } from "./live.js";
import { whyEnded } from "./packet-socket.js";

/** The part of the package's API in use. */
interface Cap {
  open(device: string, filter: string, bufferBytes: number, buffer: Buffer): string;
  setMinBytes?(bytes: number): void;
  close(): void;
  on(event: "packet", listener: (bytes: number, cut: boolean) => void): void;
}

const LINK_TYPES: Readonly<Record<string, number>> = {
  ETHERNET: LinkType.ethernet,
  NULL: LinkType.null,
  RAW: LinkType.raw,
  LINKTYPE_LINUX_SLL: LinkType.linuxSll,
};
/** The package's own snaplen: larger frames are cut by it. */
const FRAME_BYTES = 65_535;
/** Before each packet in the queue: captured bytes, bytes on the wire, time in microseconds. */
const HEAD_BYTES = 16;
/** Packets delivered before timers and signals get their turn. */
const TURN_PACKETS = 16_384;
const QUEUE_BYTES = 1024 * 1024;

/**
 * Every capture so far. A closed one leaves its handle in Node's event loop; if its object were collected, the loop would
 * walk over freed memory (cap 0.2.1, Pcap::close in src/binding.cc). A process opens few, so they are kept for good.
 */
const UNCOLLECTED = new Set<Cap>();

/** Opens the interface. Throws CaptureError. */
export function openCapSource(options: LiveOptions): CapSource {
  let cap: Cap;
  try {
    const module = createRequire(import.meta.url)("cap") as { Cap: new () => Cap };
    cap = new module.Cap();
    UNCOLLECTED.add(cap);
  } catch {
    throw new CaptureError(
      "unsupported",
      "engine cap needs the npm package cap, which needs libpcap's headers to build: `apt-get install libpcap-dev && npm install cap`; or use engine ring",
    );
  }
  // Compiled for its errors only: the package compiles the text again, widened.
  if (options.filter !== "") compileFilter(options.filter, LinkType.ethernet, FRAME_BYTES);
  return withNetns(options.netns, () => new CapSource(cap, options));
}

/**
 * Opens a capture and hides socket failures from the package, which would end the process (cap 0.2.1, cb_packets in
 * src/binding.cc). Returns the socket under another number; null: no Linux packet socket.
 */
function openGuarded(open: () => void): number | null {
  const before = new Set(descriptors());
  open();
  const c = libc();
  const added = descriptors().find((fd) => !before.has(fd) && isPacketSocket(c, fd));
  return added === undefined ? null : c.hideErrors(added);
}

function descriptors(): number[] {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").map(Number) : [];
}

function isPacketSocket(c: Libc, fd: number): boolean {
  const AF_PACKET = 17;
  const address = new Uint8Array(20); // struct sockaddr_ll
  try {
    c.getsockname(fd, address);
  } catch {
    return false; // no socket
  }
  return new DataView(address.buffer).getUint16(0, true) === AF_PACKET;
}

export class CapSource implements LiveSource {
  readonly name: string;
  readonly clock = "arrival";
  readonly packet = createPacket();
  readonly report = createReport();
  readonly linkType: number;
  readonly snaplen: number;
  readonly room = null;
  ended: string | null = null;
  outages = 0;
  packets = 0;
  readonly #cap: Cap;
  /** The capture's socket, to notice changes of the interface; null: not available. */
  readonly #socket: number | null;
  readonly #failure: Readiness | null;
  /** The package keeps only the address of this buffer; without this reference it would be collected while in use. */
  readonly #frame = Buffer.alloc(FRAME_BYTES);
  readonly #frameView = new DataView(this.#frame.buffer, this.#frame.byteOffset, FRAME_BYTES);
  readonly #limit: number;
  /** Waiting packets, one after another. */
  #queue = new DataView(new ArrayBuffer(QUEUE_BYTES));
  #end = 0;
  #at = 0;
  #given = 0;
  /** Packets dropped because the queue was full. */
  #lost = 0;
  #open = true;
  #closed = false;
  #wake: () => void = () => {};

  constructor(cap: Cap, options: LiveOptions) {
    this.name = options.interface;
    this.snaplen = Math.min(options.snaplen, FRAME_BYTES);
    this.#limit = options.bufferBytes;
    this.#cap = cap;
    let type = "";
    try {
      this.#socket = openGuarded(() => {
        type = cap.open(options.interface, matchTagged(options.filter), options.bufferBytes, this.#frame);
      });
    } catch (error) {
      throw explain(error as Error, options);
    }
    cap.setMinBytes?.(0);
    this.linkType = LINK_TYPES[type] ?? -1;
    this.packet.linkType = this.linkType;
    cap.on("packet", (bytes) => this.#push(bytes));
    this.#failure = this.#socket === null ? null : libc().pollFd(this.#socket, "failure");
    this.#failure?.start(() => void this.#fail(this.#socket!));
  }

  /** The interface went down or was deleted. Queued packets are still delivered. */
  async #fail(socket: number): Promise<void> {
    this.#failure?.stop();
    if (!this.#open || this.outages > 0) return;
    this.outages++;
    this.#cap.close();
    this.ended = await whyEnded(socket, () => this.#closed);
    this.#open = false;
    this.#wake();
  }

  /** Copies the current packet into the queue: the package reuses its buffer at once. */
  #push(bytes: number): void {
    if (!this.#open) return;
    const caplen = Math.min(bytes, this.snaplen);
    const room = HEAD_BYTES + ((caplen + 3) & ~3);
    if (!this.#makeRoom(room)) {
      this.#lost++;
      return;
    }
    const to = this.#queue;
    const at = this.#end;
    to.setUint32(at, caplen, true);
    to.setUint32(at + 4, bytes, true);
    to.setFloat64(at + 8, Date.now() * 1000, true);
    const from = this.#frameView;
    // Copies up to three bytes behind the packet too; there is room for them.
    for (let i = 0; i < caplen && i + 4 <= FRAME_BYTES; i += 4)
      to.setInt32(at + HEAD_BYTES + i, from.getInt32(i));
    this.#end = at + room;
    this.#wake();
  }

  #makeRoom(bytes: number): boolean {
    if (this.#end + bytes <= this.#queue.byteLength) return true;
    if (this.#queue.byteLength * 2 > this.#limit) return false;
    const larger = new ArrayBuffer(this.#queue.byteLength * 2);
    new Uint8Array(larger).set(new Uint8Array(this.#queue.buffer, 0, this.#end));
    this.#queue = new DataView(larger);
    return true;
  }

  next(): boolean {
    if (this.#at === this.#end) {
      this.#at = 0;
      this.#end = 0;
      return false;
    }
    if (++this.#given > TURN_PACKETS) return false;
    const view = this.#queue;
    const packet = this.packet;
    packet.view = view;
    packet.caplen = view.getUint32(this.#at, true);
    packet.length = view.getUint32(this.#at + 4, true);
    packet.timeUs = view.getFloat64(this.#at + 8, true);
    packet.offset = this.#at + HEAD_BYTES;
    this.#at = packet.offset + ((packet.caplen + 3) & ~3);
    this.packets++;
    return true;
  }

  async fill(): Promise<boolean> {
    if (this.#given > TURN_PACKETS) await new Promise((resolve) => setImmediate(resolve));
    this.#given = 0;
    while (this.#at === this.#end) {
      if (!this.#open) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return true;
  }

  stop(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.outages === 0) this.#cap.close();
    this.#wake();
  }

  /** The package reports no losses: those of the queue are known, those of the kernel are not. */
  counts(): KernelCounts {
    return { received: null, dropped: this.#lost > 0 ? this.#lost : null, freezes: null };
  }

  close(): void {
    this.stop();
    this.#at = 0;
    this.#end = 0;
    if (this.#closed) return;
    this.#closed = true;
    this.#failure?.close();
    if (this.#socket !== null) libc().close(this.#socket);
  }
}

function explain({ message }: Error, options: LiveOptions): CaptureError {
  if (/permission|not permitted/i.test(message))
    return new CaptureError("permission", `capturing on ${options.interface} needs CAP_NET_RAW`);
  if (/no such device|doesn't exist/i.test(message))
    return new CaptureError(
      "interface",
      `no interface ${options.interface}; \`netwatch capture -D\` lists them`,
    );
  if (/not up|is down/i.test(message))
    return new CaptureError("interface", `${options.interface} is down: bring it up with \`ip link set\``);
  if (options.filter !== "") return new CaptureError("filter", `filter "${options.filter}": ${message}`);
  return new CaptureError("unsupported", `${options.interface}: ${message}`);
}
