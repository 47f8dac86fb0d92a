/** Packs rectangles side by side: the unconnected parts of a graph. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Packing extends Size {
  /** The top left corner of each rectangle, in their order. */
  readonly corners: readonly { readonly x: number; readonly y: number }[];
}

/** Places the rectangles in rows no wider than `width`, tallest first; a wider one gets a row of its own. */
export function packRows(sizes: readonly Size[], width: number, gap: number): Packing {
  const corners = sizes.map(() => ({ x: 0, y: 0 }));
  const order = sizes.map((_, i) => i).sort((i, j) => sizes[j]!.height - sizes[i]!.height || i - j);
  let [x, y, rowHeight, widest] = [0, 0, 0, 0];
  for (const i of order) {
    const size = sizes[i]!;
    if (x > 0 && x + size.width > width) {
      y += rowHeight + gap;
      [x, rowHeight] = [0, 0];
    }
    corners[i] = { x, y };
    x += size.width + gap;
    widest = Math.max(widest, x - gap);
    rowHeight = Math.max(rowHeight, size.height);
  }
  return { width: widest, height: y + rowHeight, corners };
}
