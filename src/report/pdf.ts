/** The report: a Snapshot as a document that one can attach to a review. */
import type { Snapshot } from "../analyze/snapshot.js";
import { ChartMaker } from "./charts-canvas.js";
import { FONT_FILES, readFontCoverage } from "./fonts.js";
import { legible } from "./legible.js";
import { drawAppendixSection } from "./pdf-appendix.js";
import { drawFurniture } from "./pdf-furniture.js";
import { drawMapSection } from "./pdf-map.js";
import { Sheet } from "./pdf-sheet.js";
import { drawMasthead, drawSummarySection } from "./pdf-summary.js";
import { PAGE } from "./pdf-theme.js";
import { drawThroughputSection } from "./pdf-throughput.js";
import {
  drawConversationsSection,
  drawEndpointsSection,
  drawPairsSection,
  drawProtocolsSection,
  drawTalkersSection,
} from "./pdf-traffic.js";
import { Type } from "./pdf-type.js";
import { SECTIONS, type Section } from "./sections.js";

export interface PdfOptions {
  readonly title: string;
  /** When the report was made: the only time in it that is not the capture's. */
  readonly date: Date;
  /** All where it is not given. They always come in their own order. */
  readonly sections?: readonly Section[];
}

type Draw = (sheet: Sheet, snapshot: Snapshot, maker: ChartMaker) => void | Promise<void>;

const DRAW: Readonly<Record<Section, Draw>> = {
  summary: drawSummarySection,
  map: drawMapSection,
  throughput: drawThroughputSection,
  pairs: drawPairsSection,
  protocols: drawProtocolsSection,
  talkers: drawTalkersSection,
  conversations: drawConversationsSection,
  endpoints: drawEndpointsSection,
  appendix: drawAppendixSection,
};

/** Sections that have nothing to say of an empty capture. */
const NEEDS_PACKETS: ReadonlySet<Section> = new Set(
  SECTIONS.filter((section) => section !== "summary" && section !== "appendix"),
);

/** Renders the report. The same Snapshot and options give the same bytes. */
export async function renderPdf(snapshot: Snapshot, options: PdfOptions): Promise<Uint8Array> {
  const [maker, { default: PDFDocument }] = await Promise.all([ChartMaker.open(), import("pdfkit")]);
  const covers = readFontCoverage();
  const { date } = options;
  const title = legible(options.title, covers);
  const doc = new PDFDocument({
    size: [PAGE.width, PAGE.height],
    margin: 0,
    bufferPages: true,
    lang: "en",
    displayTitle: true,
    pdfVersion: "1.7",
    // None: a font opened under two names is opened anew at each use.
    font: "",
    // The file's ID is made of this.
    info: {
      Title: title,
      Creator: legible(snapshot.producer, covers),
      Producer: "pdfkit",
      CreationDate: date,
      ModDate: date,
    },
  });
  const chunks: Uint8Array[] = [];
  doc.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  const ended = new Promise((resolve) => doc.on("end", resolve));
  doc.registerFont("regular", FONT_FILES.regular);
  doc.registerFont("semibold", FONT_FILES.semibold);
  const type = new Type(doc, covers);
  const sheet = new Sheet(type);
  drawMasthead(sheet, snapshot, title, date);
  const wanted = new Set(options.sections ?? SECTIONS);
  const empty = snapshot.totals.packets === 0;
  for (const section of SECTIONS)
    if (wanted.has(section) && !(empty && NEEDS_PACKETS.has(section)))
      await DRAW[section](sheet, snapshot, maker);
  if (empty && !wanted.has("summary")) sheet.paragraph("The capture holds no packets.");
  drawFurniture(type, snapshot, title);
  doc.end();
  await ended;
  return Buffer.concat(chunks);
}
