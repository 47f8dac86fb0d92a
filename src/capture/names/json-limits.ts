/** Limits on another program's JSON text, checked in one pass over its bytes before it is parsed. */

export interface JsonCost {
  /** Nesting depth of objects and arrays. */
  readonly depth: number;
  /** Values and keys; the count is exact within one or two per object and array. */
  readonly values: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
/** `[` and `{`, `]` and `}` differ only in this bit; no other byte becomes one of them without it. */
const BRACE_BIT = 0x20;
const OPENING = 0x5b;
const CLOSING = 0x5d;

/**
 * The limit of `most` that the text, or its UTF-8 bytes, exceeds; null: none. Does not check that it is JSON. Linear, allocates nothing.
 */
export function exceededLimit(text: Uint8Array | string, most: JsonCost): keyof JsonCost | null {
  let depth = 0;
  let values = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i++) {
    const byte = typeof text === "string" ? text.charCodeAt(i) : text[i]!;
    if (isQuoted) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) isQuoted = false;
    } else if (byte === QUOTE) isQuoted = true;
    else if ((byte & ~BRACE_BIT) === OPENING) {
      if (++depth > most.depth) return "depth";
      if (++values > most.values) return "values";
    } else if ((byte & ~BRACE_BIT) === CLOSING) depth--;
    else if ((byte === COMMA || byte === COLON) && ++values > most.values) return "values";
  }
  return null;
}
