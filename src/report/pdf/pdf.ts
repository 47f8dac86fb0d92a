/** The report: a Snapshot as a document that one can attach to a review. */
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { loadMapLayout } from "../../view/map/map-layout.js";
import { ChartMaker } from "../charts/chart-maker.js";
import { findGaps } from "../completeness.js";
import { drawAppendixSection } from "./pdf-appendix.js";
import { loadDocument, openDocument } from "./pdf-document.js";
import { drawMapSection } from "./pdf-map.js";
import { drawApplicationsSection, drawTcpSection } from "./pdf-quality.js";
import type { Sheet } from "./pdf-sheet.js";
import { drawMasthead, drawSummarySection } from "./pdf-summary.js";
import { drawThroughputSection } from "./pdf-throughput.js";
import {
  drawConversationsSection,
  drawEndpointsSection,
  drawPairsSection,
  drawProtocolsSection,
  drawTalkersSection,
} from "./pdf-traffic.js";
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
  tcp: drawTcpSection,
  applications: drawApplicationsSection,
  conversations: drawConversationsSection,
  endpoints: drawEndpointsSection,
  appendix: drawAppendixSection,
};

/** Sections that have nothing to say of an empty capture. */
const NEEDS_PACKETS: ReadonlySet<Section> = new Set(
  SECTIONS.filter((section) => section !== "summary" && section !== "appendix"),
);

/** Reads all that `renderPdf` needs, which then opens no file. */
export async function loadPdf(): Promise<void> {
  await Promise.all([ChartMaker.open(), loadDocument(), loadMapLayout()]);
}

/** Renders the report. The same Snapshot and options give the same bytes. */
export async function renderPdf(snapshot: Snapshot, options: PdfOptions): Promise<Uint8Array> {
  const { date } = options;
  const [maker, paper] = await Promise.all([
    ChartMaker.open(),
    openDocument({ title: options.title, producer: snapshot.producer, date }),
  ]);
  const { sheet } = paper;
  drawMasthead(sheet, snapshot, options.title, date);
  const wanted = new Set(options.sections ?? SECTIONS);
  const empty = snapshot.totals.packets === 0;
  for (const section of SECTIONS)
    if (wanted.has(section) && !(empty && NEEDS_PACKETS.has(section)))
      await DRAW[section](sheet, snapshot, maker);
  if (empty && !wanted.has("summary")) sheet.paragraph("The capture holds no packets.");
  const gaps = findGaps(snapshot);
  return await paper.finish(gaps.length > 0 ? `INCOMPLETE: ${gaps.join("; ")}` : "");
}
