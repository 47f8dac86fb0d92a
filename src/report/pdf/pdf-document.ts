/** A document to be written on, and its bytes when it is done. The same drawing gives the same bytes. */
import type PDFKit from "pdfkit";
import { type Fonts, readFonts } from "./fonts.js";
import { legible } from "./legible.js";
import { drawFurniture } from "./pdf-furniture.js";
import { Sheet } from "./pdf-sheet.js";
import { PAGE } from "./pdf-theme.js";
import { Type } from "./pdf-type.js";

export interface DocumentWords {
  readonly title: string;
  /** Who made it. */
  readonly producer: string;
  readonly date: Date;
}

export interface OpenDocument {
  readonly sheet: Sheet;
  /** Draws what stands around the text, `mark` (may be empty) at the foot of every page, and gives the bytes. */
  finish(mark: string): Promise<Uint8Array>;
}

interface Parts {
  readonly PDFDocument: typeof PDFKit;
  readonly fonts: Fonts;
}

let loading: Promise<Parts> | null = null;

/** Reads the module and the fonts, once. */
export function loadDocument(): Promise<Parts> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Parts> {
  return { PDFDocument: (await import("pdfkit")).default, fonts: readFonts() };
}

export async function openDocument({ title, producer, date }: DocumentWords): Promise<OpenDocument> {
  const { PDFDocument, fonts } = await loadDocument();
  const { regular, semibold, covers } = fonts;
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
      Title: legible(title, covers),
      Creator: legible(producer, covers),
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
