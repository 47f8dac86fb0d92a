/** The report's style: geometry in points, one type family, few sizes, few colours. */

/** A4, and its text area. */
export const PAGE = { width: 595.28, height: 841.89, left: 56, top: 62, bottom: 66 } as const;
export const RIGHT = PAGE.width - PAGE.left;
/** Width of the text. */
export const MEASURE = RIGHT - PAGE.left;
/** Below this only the footer. */
export const FLOOR = PAGE.height - PAGE.bottom;

export const COLOR = {
  ink: "#1b1f23",
  muted: "#57606a",
  rule: "#b9c1c9",
  hairline: "#e1e5e9",
  panel: "#f3f5f7",
  warning: "#a83a00",
  notice: "#8a6100",
  info: "#57606a",
} as const;

export const SIZE = {
  title: 22,
  figure: 14,
  heading: 15,
  subheading: 10.5,
  body: 9.5,
  table: 8,
  small: 7.5,
} as const;

/** Height of a line as a multiple of its type size. */
export const LEADING = 1.42;
