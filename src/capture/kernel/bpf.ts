/**
 * Runs a compiled filter on a packet (the classic BPF machine: McCanne and Jacobson 1993, linux/filter.h). No allocation per
 * packet: one machine is made for each program.
 */

import type { Packet } from "../packet.js";
import type { FilterProgram } from "./filter.js";

// Instruction classes, and the parts of a code (linux/bpf_common.h).
const enum Class {
  mask = 0x07,
  load = 0x00,
  loadX = 0x01,
  store = 0x02,
  storeX = 0x03,
  alu = 0x04,
  jump = 0x05,
  result = 0x06,
}
const enum Size {
  mask = 0x18,
  word = 0x00,
  half = 0x08,
}
const enum Mode {
  mask = 0xe0,
  immediate = 0x00,
  absolute = 0x20,
  indirect = 0x40,
  memory = 0x60,
  length = 0x80,
  ipHeader = 0xa0,
}
const enum Op {
  mask = 0xf0,
  add = 0x00,
  sub = 0x10,
  mul = 0x20,
  div = 0x30,
  or = 0x40,
  and = 0x50,
  shiftLeft = 0x60,
  shiftRight = 0x70,
  negate = 0x80,
  mod = 0x90,
  xor = 0xa0,
}
const enum Jump {
  always = 0x00,
  equal = 0x10,
  greater = 0x20,
  greaterOrEqual = 0x30,
  anyBit = 0x40,
}
/** The second operand is the register X, not the constant. */
const SOURCE_X = 0x08;
const RESULT_A = 0x10;
const TO_A = 0x80;
const MEMORY_WORDS = 16;

/** One filter, ready to run. */
export class FilterMachine {
  readonly #program: FilterProgram;
  readonly #memory = new Int32Array(MEMORY_WORDS);
  /** Set if a load would read past the captured bytes: such a packet does not match. */
  #outside = false;

  constructor(program: FilterProgram) {
    this.#program = program;
  }

  /** Whether the packet matches. Reads nothing outside its captured bytes. */
  matches(packet: Packet): boolean {
    const { code: codes, k: constants, jumpTrue, jumpFalse } = this.#program;
    const memory = this.#memory;
    let a = 0;
    let x = 0;
    this.#outside = false;
    // Jumps only go forward, so this ends.
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at]!;
      const k = constants[at]!;
      switch (code & Class.mask) {
        case Class.load:
          a = this.#load(packet, code, k, x);
          if (this.#outside) return false;
          break;
        case Class.loadX:
          x = this.#loadX(packet, code, k);
          if (this.#outside) return false;
          break;
        case Class.store:
          memory[k & (MEMORY_WORDS - 1)] = a;
          break;
        case Class.storeX:
          memory[k & (MEMORY_WORDS - 1)] = x;
          break;
        case Class.alu: {
          const operand = (code & SOURCE_X) !== 0 ? x : k;
          if (operand === 0 && ((code & Op.mask) === Op.div || (code & Op.mask) === Op.mod)) return false;
          a = compute(code & Op.mask, a, operand);
          break;
        }
        case Class.jump: {
          if ((code & Op.mask) === Jump.always) at += k >>> 0;
          else
            at += holds(code & Op.mask, a, (code & SOURCE_X) !== 0 ? x : k) ? jumpTrue[at]! : jumpFalse[at]!;
          break;
        }
        case Class.result:
          return ((code & 0x18) === RESULT_A ? a : k) !== 0;
        default:
          if ((code & 0xf8) === TO_A) a = x;
          else x = a;
      }
    }
    return false;
  }

  #load(packet: Packet, code: number, k: number, x: number): number {
    switch (code & Mode.mask) {
      case Mode.absolute:
        return this.#read(packet, code & Size.mask, k >>> 0);
      case Mode.indirect:
        return this.#read(packet, code & Size.mask, (x + k) >>> 0);
      case Mode.memory:
        return this.#memory[k & (MEMORY_WORDS - 1)]!;
      case Mode.length:
        return packet.length;
      default:
        return k;
    }
  }

  #loadX(packet: Packet, code: number, k: number): number {
    switch (code & Mode.mask) {
      case Mode.memory:
        return this.#memory[k & (MEMORY_WORDS - 1)]!;
      case Mode.length:
        return packet.length;
      case Mode.ipHeader: {
        if (k >>> 0 >= packet.caplen) this.#outside = true;
        return this.#outside ? 0 : (packet.view.getUint8(packet.offset + k) & 15) << 2;
      }
      default:
        return k;
    }
  }

  #read(packet: Packet, size: number, at: number): number {
    const bytes = size === Size.word ? 4 : size === Size.half ? 2 : 1;
    if (at + bytes > packet.caplen) {
      this.#outside = true;
      return 0;
    }
    const position = packet.offset + at;
    if (bytes === 4) return packet.view.getInt32(position);
    return bytes === 2 ? packet.view.getUint16(position) : packet.view.getUint8(position);
  }
}

function compute(operation: number, a: number, b: number): number {
  switch (operation) {
    case Op.add:
      return (a + b) | 0;
    case Op.sub:
      return (a - b) | 0;
    case Op.mul:
      return Math.imul(a, b);
    case Op.div:
      return ((a >>> 0) / (b >>> 0)) | 0;
    case Op.mod:
      return ((a >>> 0) % (b >>> 0)) | 0;
    case Op.or:
      return a | b;
    case Op.and:
      return a & b;
    case Op.xor:
      return a ^ b;
    case Op.shiftLeft:
      return b >>> 0 > 31 ? 0 : a << b;
    case Op.shiftRight:
      return b >>> 0 > 31 ? 0 : a >>> b;
    default:
      return -a | 0;
  }
}

function holds(condition: number, a: number, b: number): boolean {
  switch (condition) {
    case Jump.equal:
      return a === b;
    case Jump.greater:
      return a >>> 0 > b >>> 0;
    case Jump.greaterOrEqual:
      return a >>> 0 >= b >>> 0;
    default:
      return (a & b) !== 0;
  }
}
