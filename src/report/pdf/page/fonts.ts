/** The bundled type: IBM Plex Sans, licensed as fonts/OFL.txt says. Its path and its characters. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const FONT_FAMILY = "IBM Plex Sans";

/** From dist/src/report/pdf/page/ to the package, and there to the source: the compiler copies no fonts. */
const FOLDER = new URL("../../../../../src/report/fonts/", import.meta.url);

export const FONT_FILES = {
  regular: fileURLToPath(new URL("IBMPlexSans-Regular.ttf", FOLDER)),
  semibold: fileURLToPath(new URL("IBMPlexSans-SemiBold.ttf", FOLDER)),
} as const;

/** Whether a font has a glyph for a code point. */
export type Coverage = (codePoint: number) => boolean;

/** Both weights and their characters. */
export interface Fonts {
  readonly regular: Buffer;
  readonly semibold: Buffer;
  readonly covers: Coverage;
}

export function readFonts(): Fonts {
  const regular = readFileSync(FONT_FILES.regular);
  return { regular, semibold: readFileSync(FONT_FILES.semibold), covers: readCoverage(regular) };
}

/** The coverage of both weights: they hold the same characters. */
export function readFontCoverage(): Coverage {
  return readCoverage(readFileSync(FONT_FILES.regular));
}

/** Extent of a line of text from its baseline, in multiples of the font size; up is positive. */
export interface FontMetrics {
  readonly ascender: number;
  readonly descender: number;
}

/** Of both weights (OpenType 1.9, "head" and "hhea"). */
export function readFontMetrics(): FontMetrics {
  const font = readFileSync(FONT_FILES.regular);
  const view = new DataView(font.buffer, font.byteOffset, font.byteLength);
  const unitsPerEm = view.getUint16(findTable(view, "head") + 18);
  const line = findTable(view, "hhea");
  return { ascender: view.getInt16(line + 4) / unitsPerEm, descender: view.getInt16(line + 6) / unitsPerEm };
}

/** TrueType: offset table, then records of tag, checksum, offset, length (OpenType 1.9, "otff"). */
const TABLE_COUNT = 4;
const TABLE_RECORDS = 12;
const TABLE_RECORD_BYTES = 16;
/** cmap subtable format 4: arrays of segments, 16 bits a value (OpenType 1.9, "cmap"). */
const SEGMENTS_DOUBLED = 6;
const END_CODES = 14;

/** Reads which characters of the basic plane a TrueType font has, from its format 4 character map. */
function readCoverage(font: Uint8Array): Coverage {
  const view = new DataView(font.buffer, font.byteOffset, font.byteLength);
  const map = findMap(view);
  const doubled = view.getUint16(map + SEGMENTS_DOUBLED);
  const starts = map + END_CODES + doubled + 2;
  return (codePoint) => {
    for (let at = 0; at < doubled; at += 2) {
      if (view.getUint16(map + END_CODES + at) < codePoint) continue;
      if (view.getUint16(starts + at) > codePoint) return false;
      const delta = view.getUint16(starts + doubled + at);
      const rangeAt = starts + doubled * 2 + at;
      const range = view.getUint16(rangeAt);
      if (range === 0) return ((codePoint + delta) & 0xffff) !== 0;
      return view.getUint16(rangeAt + range + (codePoint - view.getUint16(starts + at)) * 2) !== 0;
    }
    return false;
  };
}

/** Offset of the font's first format 4 character map. */
function findMap(view: DataView): number {
  const cmap = findTable(view, "cmap");
  for (let i = 0; i < view.getUint16(cmap + 2); i++) {
    const subtable = cmap + view.getUint32(cmap + 4 + i * 8 + 4);
    if (view.getUint16(subtable) === 4) return subtable;
  }
  throw new Error("the font has no character map of format 4");
}

/** Offset of a table. */
function findTable(view: DataView, tag: string): number {
  for (let i = 0; i < view.getUint16(TABLE_COUNT); i++) {
    const record = TABLE_RECORDS + i * TABLE_RECORD_BYTES;
    const found = String.fromCharCode(...Array.from({ length: 4 }, (_, j) => view.getUint8(record + j)));
    if (found === tag) return view.getUint32(record + 8);
  }
  throw new Error(`the font has no table ${tag}`);
}
