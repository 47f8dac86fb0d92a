/** Files that the monitor exports: the current list, or a report. */

import { reasonOf } from "../../exit.js";
import { renderCsv } from "../../report/data/csv.js";
import { renderTableJson } from "../../report/data/json.js";
import type { App } from "../../tui/app.js";
import { tableOf } from "../../tui/lists/grid.js";
import type { Effect } from "../../tui/state.js";
import { writeWhole } from "../../write.js";

type Report = typeof import("../../report/pdf/pdf.js");

let loading: Promise<Report> | null = null;

/** Loads the module once: an import() from another file reads the disk again. */
function loadReport(): Promise<Report> {
  loading ??= import("../../report/pdf/pdf.js");
  return loading;
}

/** Loads everything a report needs, before root is given up. */
export async function loadExports(): Promise<void> {
  await (await loadReport()).loadPdf();
}

/** Writes into the current folder, with the time in the file name. Shows the result on the screen. */
export async function carryOut(effect: Effect, app: App, now = new Date()): Promise<void> {
  const stamp = now.toISOString().slice(0, 19).replace(/[-:]/g, "");
  try {
    if (effect === "report") await writeReport(app, `netwatch-report-${stamp}.pdf`, now);
    else if (effect === "csv" || effect === "json") writeList(effect, app, stamp);
  } catch (error) {
    app.say(`not written: ${reasonOf(error)}`);
  }
}

function writeList(form: "csv" | "json", app: App, stamp: string): void {
  const { grid } = app.frame;
  if (grid === null) {
    app.say("this screen is no list: go to one of 2 to 9 to write it");
    return;
  }
  const path = `netwatch-${app.state.screen}-${stamp}.${form}`;
  const table = tableOf(grid);
  writeWhole(path, form === "csv" ? renderCsv(table) : renderTableJson(table));
  const missing = grid.misses?.length ? `, missing: ${grid.misses.join(", ")}` : "";
  app.say(`wrote ${path}${missing}`);
}

async function writeReport(app: App, path: string, date: Date): Promise<void> {
  const { snapshot, source } = app.model;
  if (snapshot === null) {
    app.say("nothing to report on yet");
    return;
  }
  app.say(`writing ${path}`);
  const { renderPdf } = await loadReport();
  writeWhole(path, [await renderPdf(snapshot, { title: `Traffic of ${source}`, date })]);
  app.say(`wrote ${path}`);
}
