/** A Table as a Markdown (GitHub) table, numbers as people read them. */
import { markdownTable } from "markdown-table";
import stringWidth from "string-width";
import type { Table } from "../../analyze/snapshot/snapshot.js";
import { visible } from "../../format.js";
import { showCell } from "../../view/cells.js";

/** The whole table; numbers are right-aligned. */
export function renderMarkdown(table: Table): string {
  const head = table.columns.map((column) => escapeMarkdown(column.title));
  const rows = [...table.rows].map((row) =>
    table.columns.map((column) => escapeMarkdown(showCell(column, row))),
  );
  const align = table.columns.map(({ kind }) => (kind === "text" || kind === "time" ? "l" : "r"));
  return `${markdownTable([head, ...rows], { align, stringLength: stringWidth })}\n`;
}

/** Foreign text for Markdown, made safe to show: nothing in it is markup, a link or HTML. */
export function escapeMarkdown(text: string): string {
  return visible(text).replace(/[\\`*_{}[\]<>|#!~&]/g, "\\$&");
}
