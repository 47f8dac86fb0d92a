/** A document to draw on, and its bytes at the end. The same drawing gives the same bytes. */
import type PDFKit from "pdfkit";
import { type Fonts, readFonts } from "./fonts.js";
import { drawFurniture } from "./furniture.js";
import { safeText } from "./safe-text.js";
import { Sheet } from "./sheet.js";
import { PAGE } from "./theme.js";
import { Type } from "./type.js";

export interface DocumentTexts {
  readonly title: string;
  /** The author. */
  readonly producer: string;
  readonly date: Date;
}

export interface OpenDocument {
  readonly sheet: Sheet;
  /** Draws headers and footers, with `mark` (may be empty) at the foot of every page, and returns the bytes. */
  finish(mark: string): Promise<Uint8Array>;
}

interface Parts {
  readonly PDFDocument: typeof PDFKit;
  readonly fonts: Fonts;
}

let loading: Promise<Parts> | null = null;

/** Loads the module and the fonts once. */
export function loadDocument(): Promise<Parts> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Parts> {
  return { PDFDocument: (await import("pdfkit")).default, fonts: readFonts() };
}

export async function openDocument({ title, producer, date }: DocumentTexts): Promise<OpenDocument> {
  const { PDFDocument, fonts } = await loadDocument();
  const { regular, semibold, covers } = fonts;
  const doc = new PDFDocument({
    size: [PAGE.width, PAGE.height],
    margin: 0,
    bufferPages: true,
    lang: "en",
    displayTitle: true,
    pdfVersion: "1.7",
    // None: a font with two names is opened again at each use.
    font: "",
    // The source of the file's ID.
    info: {
      Title: safeText(title, covers),
      Creator: safeText(producer, covers),
      Producer: "pdfkit",
      CreationDate: date,
      ModDate: date,
    },
  });
  const chunks: Uint8Array[] = [];
  doc.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  const ended = new Promise((resolve) => doc.on("end", resolve));
  doc.registerFont("regular", regular);
  doc.registerFont("semibold", semibold);
  const type = new Type(doc, covers);
  return {
    sheet: new Sheet(type),
    finish: async (mark) => {
      drawFurniture(type, { title, producer, mark });
      doc.end();
      await ended;
      return Buffer.concat(chunks);
    },
  };
}
