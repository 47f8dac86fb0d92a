/** The header that a proxy puts before what a client sends (HAProxy's PROXY protocol, versions 1 and 2): how long it is. */

/** Returned where more bytes tell. */
export const PROXY_SHORT = -1;
/** Longest header of version 1 with its line end (specification, 2.1). */
const MAX_TEXT = 107;
const TEXT = "PROXY ";
const FAMILIES = ["TCP4 ", "TCP6 ", "UNKNOWN"];
/** Signature of version 2 (2.2), behind it version and command, family, length of the rest. */
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
const BINARY = 16;

/** Bytes of the header that begins at `at`, perhaps more than there are; 0: there is none; PROXY_SHORT. */
export function proxyLength(view: DataView, at: number, end: number): number {
  const first = view.getUint8(at);
  if (first === 0x50) return textLength(view, at, end);
  if (first !== 0x0d || !isBegun(view, at, end, SIGNATURE)) return 0;
  if (end - at > 12 && view.getUint8(at + 12) >> 4 !== 2) return 0;
  return end - at < BINARY ? PROXY_SHORT : BINARY + view.getUint16(at + 14);
}

function textLength(view: DataView, at: number, end: number): number {
  if (!isBegun(view, at, end, TEXT)) return 0;
  const from = at + TEXT.length;
  if (from < end && !FAMILIES.some((family) => isBegun(view, from, end, family))) return 0;
  const stop = Math.min(end, at + MAX_TEXT);
  for (let i = from; i < stop; i++)
    if (view.getUint8(i) === 0x0a) return view.getUint8(i - 1) === 0x0d ? i + 1 - at : 0;
  return stop === end && end - at < MAX_TEXT ? PROXY_SHORT : 0;
}

/** Whether the bytes are those of `text`, as far as they are there. */
function isBegun(view: DataView, at: number, end: number, text: string): boolean {
  const known = Math.min(end - at, text.length);
  for (let i = 0; i < known; i++) if (view.getUint8(at + i) !== text.charCodeAt(i)) return false;
  return true;
}
