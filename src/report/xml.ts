/** Text in XML. */
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A text in XML, between tags or in quotes. Its controls are gone already; XML 1.0 also forbids U+FFFE and U+FFFF. */
export function xmlText(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ENTITIES[c]!).replace(/[\ufffe\uffff]/g, "\ufffd");
}
