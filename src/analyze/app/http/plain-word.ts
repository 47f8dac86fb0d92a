/** Decides whether a path segment is a word chosen by a programmer, or may be a private value: a number, a key, a token. */

/** Longest accepted word, and longest part of it between hyphens, underscores and dots. */
const MAX_WORD = 32;
const MAX_PART = 16;
const MAX_PARTS = 5;
/** Capitals in a row: `getURL`, `API`; more of them are a key's. */
const MAX_CAPITALS = 4;
/** Shorter parts have too few pairs of letters to be judged. */
const MIN_JUDGED = 5;
/** Words of only these letters, so long, are hexadecimal numbers. */
const MAX_HEX = 7;

/**
 * By first letter, the letters that follow it in at least 5 of 6,300 English and programmers' words (counted in the documentation of
 * free software): 380 of 676 pairs. Random letters have a rare pair at every second place.
 */
// biome-ignore format: a table
const FOLLOWERS = [
  "bcdefghijklmnprstuvwxy", "acdeijlmoprstuy", "acdehiklmoprstuy", "abcdegilnoprsuvy",
  "abcdefghijlmnopqrstuvwxy", "aefilorstuy", "abcefghilmnoprstu", "aeilmnorstuy", "abcdefgklmnoprstuvxz",
  "aeosu", "abdeginostu", "abcdefgiklmnoprstuvy", "abeilmnopstuy", "abcdefghijklmnoprstuvy",
  "abcdefghijklmnoprstuvwxy", "acdeghiklmoprstuy", "lu", "abcdefghiklmnoprstuvwy", "acefhiklmnopqrstuwy",
  "acdefhilmnoprstuwy", "abcdefgilmnoprstx", "aeio", "aehilnors", "aceipty", "abeilmnoprstw", "aeioz",
];
const PAIRS = Int32Array.from(FOLLOWERS, (letters) => {
  let bits = 0;
  for (const letter of letters) bits |= 1 << (letter.charCodeAt(0) - 97);
  return bits;
});

/** Common names with digits that are no private values. */
const WITH_DIGITS = ["oauth2", "s3", "k8s", "ipv4", "ipv6", "http2", "i18n", "l10n", "web3", "p2p", "x509"];
const MAX_WITH_DIGITS = 6;

/**
 * Whether bytes [at, end) are plainly a word: letters with hyphens, underscores and dots between, short, in a usual case, of usual
 * pairs of letters; or a version (`v1`, `v2.1`). Says no in doubt.
 */
export function isPlainWord(view: DataView, at: number, end: number): boolean {
  if (end - at > MAX_WORD) return false;
  if (isVersion(view, at, end)) return true;
  let parts = 0;
  let from = at;
  for (let i = at; i <= end; i++) {
    const byte = i < end ? view.getUint8(i) : 0x2e;
    if (byte === 0x2d || byte === 0x2e || byte === 0x5f) {
      if (i > from && (++parts > MAX_PARTS || !isPart(view, from, i))) return false;
      from = i + 1;
    } else if (!isLetter(byte)) return isKnownName(view, at, end);
  }
  return parts > 0;
}

function isLetter(byte: number): boolean {
  const small = byte | 0x20;
  return small >= 0x61 && small <= 0x7a;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

/** Letters only, by the caller's word. */
function isPart(view: DataView, at: number, end: number): boolean {
  const length = end - at;
  if (length > MAX_PART) return false;
  let [rare, hex, capitals, turns] = [0, 0, 0, 0];
  let previous = -1;
  let wasCapital = false;
  for (let i = at; i < end; i++) {
    const byte = view.getUint8(i);
    const isCapital = byte < 0x61;
    capitals = isCapital ? capitals + 1 : 0;
    if (capitals > MAX_CAPITALS) return false;
    if (i > at && isCapital && !wasCapital) turns++;
    wasCapital = isCapital;
    const letter = (byte | 0x20) - 0x61;
    if (letter < 6) hex++;
    if (previous >= 0 && (PAIRS[previous]! & (1 << letter)) === 0) rare++;
    previous = letter;
  }
  if (length > MAX_HEX && hex === length) return false;
  return turns * 7 <= length * 2 && (length < MIN_JUDGED || rare <= 1);
}

/** v1, v12, v1.2 */
function isVersion(view: DataView, at: number, end: number): boolean {
  if (end - at < 2 || end - at > 4 || (view.getUint8(at) | 0x20) !== 0x76) return false;
  if (!isDigit(view.getUint8(at + 1)) || !isDigit(view.getUint8(end - 1))) return false;
  if (end - at < 4) return true;
  return isDigit(view.getUint8(at + 2)) ? false : view.getUint8(at + 2) === 0x2e;
}

function isKnownName(view: DataView, at: number, end: number): boolean {
  const length = end - at;
  if (length > MAX_WITH_DIGITS) return false;
  for (const name of WITH_DIGITS) if (name.length === length && equals(view, at, name)) return true;
  return false;
}

/** Whether the bytes at `at` are the small letters and digits of `text`, in any case. Reads text.length bytes. */
export function equals(view: DataView, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const byte = view.getUint8(at + i);
    if ((isLetter(byte) ? byte | 0x20 : byte) !== text.charCodeAt(i)) return false;
  }
  return true;
}
