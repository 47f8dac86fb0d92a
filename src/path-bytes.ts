/**
 * File names whose bytes are not UTF-8, which Linux allows and Node's strings lose. A string has such a byte as a lone surrogate,
 * U+DC00 plus the byte, as Python's `surrogateescape` does: names are joined and cut like any text. Imports nothing of the project.
 */
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";

const ESCAPED = /[\udc80-\udcff]/u;
const LONGEST_CHARACTER = 4;

/** The string that stands for these bytes. */
export function decodePath(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    let length = 1;
    while (length <= LONGEST_CHARACTER && !isUtf8(bytes.subarray(at, at + length))) length++;
    const isCharacter = length <= LONGEST_CHARACTER;
    text += isCharacter ? bytes.toString("utf8", at, at + length) : String.fromCharCode(0xdc00 + bytes[at]!);
    at += isCharacter ? length : 1;
  }
  return text;
}

/** The path for node:fs of such a string. Every path from the command line goes through here. */
export function toPath(path: string): string | Buffer {
  if (!ESCAPED.test(path)) return path;
  return Buffer.concat(
    Array.from(path, (character) =>
      ESCAPED.test(character) ? Buffer.of(character.charCodeAt(0) - 0xdc00) : Buffer.from(character),
    ),
  );
}

/** The process's last arguments, given in Node's decoding, as strings for `toPath`. null: their bytes are not available. */
export function readArguments(words: readonly string[]): readonly string[] | null {
  // Node's replacement for invalid bytes.
  if (!words.some((word) => word.includes("\ufffd"))) return words;
  try {
    const all = readFileSync("/proc/self/cmdline", "latin1").split("\0").slice(0, -1);
    const found = all.slice(all.length - words.length).map((word) => decodePath(Buffer.from(word, "latin1")));
    return found.length === words.length ? found : null;
  } catch {
    return null;
  }
}
