/** Makes untrusted text safe, drawable and short. */
import { visible } from "../../../format.js";
import { cutMiddle } from "../../../view/cut.js";
import type { Coverage } from "./fonts.js";

/** Longer text is cut first. */
const MAX_CHARACTERS = 600;

/** Text with every unsafe character, and every one that the font lacks, written as its code: `\u4e2d`, `\u{1f600}`. */
export function safeText(text: string, covers: Coverage): string {
  return visible(text.length > MAX_CHARACTERS * 2 ? cutMiddle(text, MAX_CHARACTERS) : text, covers);
}
