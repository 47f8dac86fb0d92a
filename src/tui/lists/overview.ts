/** The first screen: throughput, health, top pairs and talkers, connection tracking, missing data. Pure. */
import type { HealthTargetReport, Row, Snapshot } from "../../analyze/snapshot/snapshot.js";
import {
  formatClock,
  formatCount,
  formatCounted,
  formatDuration,
  formatRatio,
  visible,
} from "../../format.js";
import { numberOf } from "../../view/cells.js";
import { clip, columnsOf, cut, cutEnd, fit, type Line, plain, type Span, textOf } from "../chrome/cells.js";
import { axisLine, type ChartClass, chartLines, classStyle } from "../chrome/chart.js";
import type { Glyphs } from "../chrome/glyphs.js";
import { type Model, pairKey } from "../model.js";
import { completenessStyle, completenessText } from "./ledger.js";
import { amount, rate } from "./numbers.js";
import { findingStyle, sortFindings } from "./quality.js";
import { HEALTH_STYLES } from "./services.js";

export interface OverviewLooks {
  readonly width: number;
  readonly height: number;
  readonly bits: boolean;
  readonly color: boolean;
  readonly glyphs: Glyphs;
}

/** Classes of the chart; all others are one class. */
const CLASSES = 4;
const MIN_CHART = 4;
const MAX_CHART = 16;
/** Lines besides chart and lists. */
const FIXED_LINES = 8;

export function overviewLines(model: Model, looks: OverviewLooks): Line[] {
  const { snapshot } = model;
  if (snapshot === null) return [[{ text: " Waiting for the first packets.", style: "dim" }]];
  const height = Math.max(MIN_CHART, Math.min(MAX_CHART, Math.floor((looks.height - FIXED_LINES) * 0.45)));
  const classes = chartClasses(model, snapshot);
  const lists = looks.height - FIXED_LINES - height;
  return [
    legendLine(classes, model, snapshot, looks),
    ...chartLines(classes, { ...looks, height }),
    timeLine(model, snapshot, looks),
    healthLine(model, looks),
    conntrackLine(model, looks),
    ledgerLine(snapshot, looks),
    findingsLine(snapshot, looks),
    [],
    ...topLines(model, snapshot, Math.max(2, lists), looks),
  ];
}

function ledgerLine(snapshot: Snapshot, { width, glyphs }: OverviewLooks): Line {
  const text = cutEnd(completenessText(snapshot), width - 1, glyphs.ellipsis);
  return [{ text: ` ${text}`, style: completenessStyle(snapshot) }];
}

/** Whether there are current rates: a running source with two Snapshots. */
function isNow({ throughput, ended }: Model): boolean {
  return throughput.length >= 2 && !ended;
}

/** Rates between Snapshots if there are any, else the series of the whole window. */
function chartClasses(model: Model, snapshot: Snapshot): ChartClass[] {
  const { throughput } = model;
  const classes: ChartClass[] = [];
  if (isNow(model) && model.mode === "live") {
    const names = [...snapshot.tables.protocols.rows].map((row) => String(row.protocol));
    for (const name of names)
      classes.push({ name, values: throughput.map(({ seconds, bytes }) => (bytes[name] ?? 0) / seconds) });
  } else {
    const { step, classes: given } = snapshot.series;
    for (const { name, bytes } of given) classes.push({ name, values: bytes.map((n) => n / step) });
  }
  const total = ({ values }: ChartClass) => values.reduce((sum, value) => sum + value, 0);
  classes.sort((a, b) => total(b) - total(a));
  if (classes.length <= CLASSES) return classes;
  const rest = classes.splice(CLASSES - 1);
  const values = rest[0]!.values.map((_, i) => rest.reduce((sum, of) => sum + of.values[i]!, 0));
  return [...classes, { name: "rest", values }];
}

/** When the chart begins and ends. */
function timeLine(model: Model, { series, window }: Snapshot, looks: OverviewLooks): Line {
  const { throughput } = model;
  if (isNow(model) && model.mode === "live") {
    const seconds = throughput.reduce((sum, of) => sum + of.seconds, 0);
    return axisLine(throughput.length, `${formatDuration(seconds)} ago`, "now", looks);
  }
  const steps = series.classes[0]?.bytes.length ?? 0;
  if (steps === 0 || series.start === null || window.end === null) return [];
  const clock = (time: string) => visible(formatClock(time).slice(0, 8));
  return axisLine(steps, clock(series.start), clock(window.end), looks);
}

function legendLine(
  classes: readonly ChartClass[],
  model: Model,
  snapshot: Snapshot,
  { bits, glyphs, color, width }: OverviewLooks,
): Line {
  const last = (values: readonly number[]) => values.at(-1) ?? 0;
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const now = isNow(model);
  const value = now ? last : mean;
  const all = classes.reduce((sum, { values }) => sum + value(values), 0);
  const perSecond = snapshot.window.duration > 0 ? snapshot.totals.bytes / snapshot.window.duration : 0;
  const spans: Span[] = [
    {
      text: ` Throughput ${now ? `${rate(all, bits)} now` : `${rate(perSecond, bits)} on average`}`,
      style: "bold",
    },
  ];
  let used = columnsOf(spans[0]!.text);
  for (const [i, { name, values }] of classes.entries()) {
    const sign = color ? glyphs.gaugeFull : glyphs.classes[Math.min(i, glyphs.classes.length - 1)]!;
    const text = ` ${visible(name)} ${rate(value(values), bits)}`;
    used += columnsOf(`  ${sign}${text}`);
    if (used > width) break;
    spans.push({ text: `  ${sign}`, style: classStyle(i) }, { text, style: "plain" });
  }
  return spans;
}

function healthLine({ health, mode }: Model, { glyphs, width }: OverviewLooks): Line {
  if (health === null || health.targets.length === 0)
    return [
      {
        text: ` Health      ${NOT_ASKED[mode]}`,
        style: "dim",
      },
    ];
  const { targets } = health;
  const up = targets.filter(({ state }) => state === "up").length;
  const spans: Span[] = [{ text: ` Health      ${up} of ${targets.length} up  `, style: "plain" }];
  for (const { state } of targets) spans.push({ text: glyphs.health[state], style: HEALTH_STYLES[state] });
  const trouble = targets.filter(({ state }) => state === "down" || state === "degraded");
  const room = width - columnsOf(textOf(spans)) - 3;
  if (trouble.length > 0)
    spans.push({ text: `  ${listWhole(trouble.map(troubleText), room, glyphs)}`, style: "bad" });
  return spans;
}

/** As many as fit, and the number of further ones. */
function listWhole(texts: readonly string[], room: number, { ellipsis }: Glyphs): string {
  for (let count = texts.length; count > 1; count--) {
    const more = count < texts.length ? ` and ${texts.length - count} more` : "";
    const listed = `${texts.slice(0, count).join(", ")}${more}`;
    if (columnsOf(listed) <= room) return listed;
  }
  const more = texts.length > 1 ? ` and ${texts.length - 1} more` : "";
  return `${cut(texts[0]!, Math.max(0, room - more.length), ellipsis)}${more}`;
}

/** The most severe findings. */
function findingsLine({ findings }: Snapshot, { width, glyphs }: OverviewLooks): Line {
  const [first] = sortFindings(findings);
  if (first === undefined) return [{ text: " Findings    nothing out of the ordinary", style: "dim" }];
  const count = formatCount(findings.length).padEnd(3);
  const text = cutEnd(visible(first.text), width - 18, glyphs.ellipsis);
  return [
    { text: ` Findings    ${count} `, style: "plain" },
    { text, style: findingStyle(first) },
  ];
}

function troubleText({ service, state, reason }: HealthTargetReport): string {
  return `${visible(service)} ${state.toUpperCase()}${reason === null ? "" : ` (${visible(reason)})`}`;
}

const NOT_ASKED: Readonly<Record<Model["mode"], string>> = {
  live: "no health checks: --names FILE lists services to check",
  replay: "not recorded: `capture --health --sidecar FILE` does",
  snapshot: "not part of a snapshot",
};

const GAUGE = 20;

function conntrackLine({ snapshot, mode }: Model, { glyphs }: OverviewLooks): Line {
  const tracked = snapshot?.conntrack?.namespaces[0];
  if (tracked === undefined)
    return [
      {
        text: ` Conntrack   not looked at here${mode === "live" ? ": 9 Events says why" : ""}`,
        style: "dim",
      },
    ];
  const { entries, limit } = tracked;
  if (entries === null) return plain(" Conntrack   how many connections are tracked is not known");
  const count = formatCounted(entries, "connection");
  if (limit === null || limit === 0) return plain(` Conntrack   ${count}, no limit known`);
  const use = entries / limit;
  const full = Math.min(GAUGE, Math.ceil(use * GAUGE));
  const style = use >= 0.9 ? "bad" : use >= 0.75 ? "warn" : "good";
  return [
    { text: " Conntrack   ", style: "plain" },
    { text: glyphs.gaugeFull.repeat(full), style },
    { text: glyphs.gaugeEmpty.repeat(GAUGE - full), style: "dim" },
    { text: ` ${count} of ${formatCount(limit)} (${formatRatio(use)})`, style: "plain" },
  ];
}

/** Top pairs to the left, top talkers to the right. */
function topLines(model: Model, snapshot: Snapshot, height: number, looks: OverviewLooks): Line[] {
  const left = Math.floor((looks.width - 3) * 0.6);
  const right = looks.width - 3 - left;
  const rates = isNow(model) ? model.rates : null;
  const nowOf = (row: Row) => rates?.get(pairKey(String(row.source), String(row.destination)));
  const busiest = [...snapshot.tables.pairs.rows];
  if (rates) busiest.sort((a, b) => (nowOf(b) ?? 0) - (nowOf(a) ?? 0));
  const pairs = listLines(busiest.slice(0, height - 1), left, looks, (row) => {
    const now = nowOf(row);
    const name = `${visible(String(row.source))} > ${visible(String(row.destination))}`;
    return [name, now === undefined ? amount(numberOf(row.bytes), looks.bits) : rate(now, looks.bits)];
  });
  const talkers = listLines([...snapshot.tables.talkers.rows].slice(0, height - 1), right, looks, (row) => [
    visible(String(row.service)),
    amount(numberOf(row.bytes), looks.bits),
  ]);
  const heads: Line = [
    {
      text: fit(` Top pairs${isNow(model) ? ", now" : ""}`, left + 3, "left", looks.glyphs.ellipsis),
      style: "bold",
    },
    { text: `Top talkers${isNow(model) ? ", in all" : ""}`, style: "bold" },
  ];
  const count = Math.max(pairs.length, talkers.length);
  const beside = Array.from(
    { length: count },
    (_, i): Line => [
      ...clip([{ text: " ", style: "plain" }, ...(pairs[i] ?? [])], left + 1),
      { text: "  ", style: "plain" },
      ...(talkers[i] ?? []),
    ],
  );
  return [heads, ...beside];
}

function listLines(
  rows: readonly Row[],
  width: number,
  { glyphs }: OverviewLooks,
  texts: (row: Row) => readonly [name: string, value: string],
): Line[] {
  return rows.map((row) => {
    const [name, value] = texts(row);
    const room = width - columnsOf(value) - 1;
    return plain(`${fit(name, room, "left", glyphs.ellipsis)} ${value}`);
  });
}
