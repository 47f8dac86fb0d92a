/** tcpdump's filter language: compiled by the system's libpcap, run here or in the kernel. */
import { LinkType } from "../../net.js";
import { CaptureError } from "../live/live.js";
import { type Library, loadLibrary, viewNative } from "./libc.js";

/** A compiled filter: four numbers per instruction, as in `struct bpf_insn`: code, jt, jf, k. */
export interface FilterProgram {
  readonly code: Uint16Array;
  readonly jumpTrue: Uint8Array;
  readonly jumpFalse: Uint8Array;
  readonly k: Int32Array;
}

/** File names of the library: Debian's, then that of other systems. */
const LIBRARIES = ["libpcap.so.0.8", "libpcap.so.1", "libpcap.so"];
/** libpcap's own numbers where they differ from those in files (pcap/dlt.h: DLT_RAW is 12 on Linux). */
const DLT: ReadonlyMap<number, number> = new Map([
  [LinkType.raw, 12],
  [LinkType.rawOpenBsd, 12],
]);
const INSTRUCTION_BYTES = 8;
const PROGRAM_BYTES = 16;
const NETMASK_UNKNOWN = 0xffff_ffff;

/** Filters that depend on the frame's own tag: they name VLANs, or offsets that a tag moves. */
const SEES_TAGS = /\bvlan\b|\bether\s*(\[|proto)|\blink\s*\[|\b(len|less|greater)\b/;

/**
 * Whether the filter needs whole frames. The kernel removes a VLAN tag before its own filter runs, so
 * such a filter has to run here, on the frame with the tag put back.
 */
export function needsWholeFrames(filter: string): boolean {
  return SEES_TAGS.test(filter);
}

/**
 * Compiles a filter for frames of a link type. Unless it names VLANs itself, it matches tagged frames like
 * untagged ones, behind up to two tags. Throws CaptureError.
 */
export function compileFilter(filter: string, linkType: number, snaplen: number): FilterProgram {
  loaded ??= loadPcap();
  const native = loaded;
  // Compiled alone first, so that an error is about the user's text, and a stray parenthesis cannot reach beyond it.
  const plain = compile(native, filter, linkType, snaplen);
  const tagged = linkType === LinkType.ethernet ? matchTagged(filter) : filter;
  return tagged === filter ? plain : compile(native, tagged, linkType, snaplen);
}

/** The filter, widened to look behind up to two VLAN tags; unchanged if it names VLANs itself. */
export function matchTagged(filter: string): string {
  if (filter.trim() === "" || /\bvlan\b/.test(filter)) return filter;
  const tagged = "(ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100)";
  // `vlan` moves every later offset behind the tag, so each variant is nested in the one before.
  const here = `((${filter}) and not ${tagged})`;
  return `${here} or (vlan and (${here} or (vlan and (${filter}))))`;
}

interface Pcap {
  openDead(linkType: number, snaplen: number): unknown;
  compile(pcap: unknown, program: Uint8Array, text: string, optimize: number, netmask: number): number;
  freeCode(program: Uint8Array): void;
  error(pcap: unknown): string;
  close(pcap: unknown): void;
}

let loaded: Pcap | null = null;

function loadPcap(): Pcap {
  const find = findLibrary();
  return {
    openDead: find("void *pcap_open_dead(int linkType, int snaplen)") as Pcap["openDead"],
    compile: find(
      "int pcap_compile(void *pcap, _Inout_ uint8_t *program, const char *text, int optimize, uint32_t netmask)",
    ) as Pcap["compile"],
    freeCode: find("void pcap_freecode(uint8_t *program)") as Pcap["freeCode"],
    error: find("const char *pcap_geterr(void *pcap)") as Pcap["error"],
    close: find("void pcap_close(void *pcap)") as Pcap["close"],
  };
}

function findLibrary(): Library {
  for (const file of LIBRARIES) {
    try {
      return loadLibrary(file);
    } catch {
      // the next name
    }
  }
  throw new CaptureError(
    "filter",
    "filters need libpcap, which is not installed: `apt-get install libpcap0.8`, or leave the filter out",
  );
}

function compile(native: Pcap, text: string, linkType: number, snaplen: number): FilterProgram {
  if (text.includes("\0")) throw new CaptureError("filter", "filter: a NUL character");
  const pcap = native.openDead(DLT.get(linkType) ?? linkType, snaplen);
  const program = new Uint8Array(PROGRAM_BYTES);
  try {
    if (native.compile(pcap, program, text, 1, NETMASK_UNKNOWN) !== 0)
      throw new CaptureError("filter", `filter "${text}": ${native.error(pcap)}`);
    const compiled = readProgram(program);
    native.freeCode(program);
    return compiled;
  } finally {
    native.close(pcap);
  }
}

/** Copies `struct bpf_program`: a count, and the address of the instructions. */
function readProgram(program: Uint8Array): FilterProgram {
  const head = new DataView(program.buffer);
  const count = head.getUint32(0, true);
  const view = new DataView(viewNative(head.getBigUint64(8, true), count * INSTRUCTION_BYTES));
  const compiled = {
    code: new Uint16Array(count),
    jumpTrue: new Uint8Array(count),
    jumpFalse: new Uint8Array(count),
    k: new Int32Array(count),
  };
  for (let i = 0; i < count; i++) {
    compiled.code[i] = view.getUint16(i * INSTRUCTION_BYTES, true);
    compiled.jumpTrue[i] = view.getUint8(i * INSTRUCTION_BYTES + 2);
    compiled.jumpFalse[i] = view.getUint8(i * INSTRUCTION_BYTES + 3);
    compiled.k[i] = view.getInt32(i * INSTRUCTION_BYTES + 4, true);
  }
  return compiled;
}

/** The program that keeps every packet, up to `snaplen` bytes. */
export function acceptAll(snaplen: number): FilterProgram {
  const RETURN_K = 0x06;
  return {
    code: Uint16Array.of(RETURN_K),
    jumpTrue: new Uint8Array(1),
    jumpFalse: new Uint8Array(1),
    k: Int32Array.of(snaplen),
  };
}

/** The program as the kernel takes it: an array of `struct sock_filter`. */
export function encodeProgram(program: FilterProgram): Uint8Array {
  const bytes = new Uint8Array(program.code.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  program.code.forEach((code, i) => {
    view.setUint16(i * INSTRUCTION_BYTES, code, true);
    view.setUint8(i * INSTRUCTION_BYTES + 2, program.jumpTrue[i]!);
    view.setUint8(i * INSTRUCTION_BYTES + 3, program.jumpFalse[i]!);
    view.setInt32(i * INSTRUCTION_BYTES + 4, program.k[i]!, true);
  });
  return bytes;
}
