/** What a client would rather have (RFC 9110 12.5). */

/** The weight, 0 to 1, of a word in an Accept or Accept-Encoding header; 0: it is not in it. */
export function accepts(header: string, word: string): number {
  for (const item of header.slice(0, 1024).split(",")) {
    const [name, ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    if (name !== word) continue;
    const weight = parameters.find((parameter) => parameter.startsWith("q="));
    const q = weight === undefined ? 1 : Number(weight.slice(2));
    return Number.isFinite(q) ? Math.min(1, Math.max(0, q)) : 0;
  }
  return 0;
}

/** OpenMetrics only where it is named, and wanted no less than the text format. */
export function prefersOpenMetrics(accept: string): boolean {
  const weight = accepts(accept, "application/openmetrics-text");
  return weight > 0 && weight >= accepts(accept, "text/plain");
}
