/** Makes untrusted text safe, drawable and short. */
import { visible } from "../../../format.js";
import type { Coverage } from "./fonts.js";

/** Longer text is cut first. */
const MAX_CHARACTERS = 600;
const ELLIPSIS = "…";

/** Text with every unsafe character, and every one that the font lacks, written as its code: `\u4e2d`, `\u{1f600}`. */
export function safeText(text: string, covers: Coverage): string {
  return visible(text.length > MAX_CHARACTERS * 2 ? cutMiddle(text, MAX_CHARACTERS) : text, covers);
}

/** The text with its middle left out so that at most `length` characters remain, the ellipsis among them. */
export function cutMiddle(text: string, length: number): string {
  const characters = Array.from(
    text.length > length * 8 ? text.slice(0, length * 4) + text.slice(-length * 4) : text,
  );
  if (characters.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  const tail = length - 1 - head;
  return characters.slice(0, head).join("") + ELLIPSIS + (tail > 0 ? characters.slice(-tail).join("") : "");
}
