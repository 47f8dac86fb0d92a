/** Text that is too long, by characters. Columns of a terminal are measured where they are drawn. */
const ELLIPSIS = "…";

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
