/** The report: a Snapshot as a PDF document. */
import type { Snapshot } from "../../analyze/snapshot/snapshot.js";
import { loadTopologyLayout } from "../../view/map/map-layout.js";
import { ChartMaker } from "../charts/chart-maker.js";
import { findGaps } from "../completeness.js";
import { loadDocument, openDocument } from "./page/document.js";
import type { Sheet } from "./page/sheet.js";
import { drawAppendixSection } from "./sections/appendix.js";
import { drawMapSection } from "./sections/map.js";
import { drawApplicationsSection, drawTcpSection } from "./sections/quality.js";
import { drawMasthead, drawSummarySection } from "./sections/summary.js";
import { drawThroughputSection } from "./sections/throughput.js";
import {
  drawConversationsSection,
  drawEndpointsSection,
  drawPairsSection,
  drawProtocolsSection,
  drawTalkersSection,
} from "./sections/traffic.js";
import { SECTIONS, type Section } from "./sections.js";

export interface PdfOptions {
  readonly title: string;
  /** Time of the report: the only time in it that is not the capture's. */
  readonly date: Date;
  /** Default: all. The order is always the same. */
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

/** Sections left out for an empty capture. */
const NEEDS_PACKETS: ReadonlySet<Section> = new Set(
  SECTIONS.filter((section) => section !== "summary" && section !== "appendix"),
);

/** Loads everything for `renderPdf`, which then opens no file. */
export async function loadPdf(): Promise<void> {
  await Promise.all([ChartMaker.open(), loadDocument(), loadTopologyLayout()]);
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
