/** Breaking text into lines at spaces. */

/** The no-break space between a number and its unit. */
const UNIT_SPACE = /(?<=\d) (?=(?:[KMGTPE]?i?B|%|[mµ]?s|min|h|d)(?:[/.,;:)\s]|$))/g;
const GLUE = "\u00a0";

/**
 * The lines of a paragraph of at most `width`. A word that is wider than a line is broken by `take`: how many of its
 * UTF-16 units fit, at least one.
 */
export function wrapText(
  text: string,
  width: number,
  measure: (text: string) => number,
  take: (word: string) => number,
): string[] {
  const lines: string[] = [];
  let line = "";
  const add = (word: string) => {
    const longer = line === "" ? word : `${line} ${word}`;
    if (measure(longer) <= width) {
      line = longer;
      return;
    }
    if (line !== "") lines.push(line);
    let rest = word;
    while (measure(rest) > width) {
      const n = Math.max(1, take(rest));
      lines.push(rest.slice(0, n));
      rest = rest.slice(n);
    }
    line = rest;
  };
  for (const word of text.replace(UNIT_SPACE, GLUE).split(" ")) add(word);
  if (line !== "" || lines.length === 0) lines.push(line);
  return lines.map((done) => done.replaceAll(GLUE, " "));
}
