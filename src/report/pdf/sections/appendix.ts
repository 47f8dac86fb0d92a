/** The appendix: the capture ledger and the definitions. */
import type { LedgerFile, Snapshot } from "../../../analyze/snapshot/snapshot.js";
import { formatBytes, formatCount, formatCounted } from "../../../format.js";
import { captureLosses, describeUnknown, tunnelText } from "../../../view/completeness.js";
import { isKnown, missingHere, missingOfRequests } from "../../../view/missing.js";
import type { Sheet } from "../page/sheet.js";
import { drawTable, type PdfColumn, TABLE_START } from "../page/table.js";
import { LEADING, MEASURE, PAGE, SIZE } from "../page/theme.js";
import { DEFINITIONS } from "./definitions.js";

interface Entry {
  readonly what: string;
  readonly number: string;
  readonly meaning: string;
}

const MAX_FILES = 20;
const MAX_REASONS = 20;
const TERM_WIDTH = 84;
const UNKNOWN = "not known";

export function drawAppendixSection(sheet: Sheet, snapshot: Snapshot): void {
  const { ledger } = snapshot;
  sheet.section(
    "Appendix",
    "What the numbers rest on, what they miss, and what their names mean.",
    TABLE_START + 24,
  );
  sheet.subsection("Capture ledger", TABLE_START);
  drawTable(sheet, LEDGER_COLUMNS, ledgerEntries(snapshot));
  sheet.subsection("Files", TABLE_START);
  const files = ledger.files.slice(0, MAX_FILES);
  const more = ledger.files.slice(MAX_FILES);
  const packets = more.reduce((sum, file) => sum + file.packets, 0);
  const last =
    more.length > 0 ? [`and ${formatCount(more.length)} more`, formatCount(packets), ""] : undefined;
  drawTable(sheet, FILE_COLUMNS, files, last);
  sheet.subsection("Definitions", 60);
  for (const { term, meaning } of DEFINITIONS) drawDefinition(sheet, term, meaning);
}

const LEDGER_COLUMNS: readonly PdfColumn<Entry>[] = [
  { title: "Entry", lines: ({ what }) => [what] },
  { title: "Number", number: true, lines: ({ number }) => [number] },
  { title: "Meaning", lines: ({ meaning }) => [meaning] },
];

const FILE_COLUMNS: readonly PdfColumn<LedgerFile>[] = [
  { title: "File", lines: ({ name }) => [name] },
  { title: "Packets", number: true, lines: ({ packets }) => [formatCount(packets)] },
  { title: "Damage", lines: ({ damage }) => [damage === null ? "none" : describeDamage(damage)] },
];

function describeDamage({ offset, reason, count }: NonNullable<LedgerFile["damage"]>): string {
  const others = count > 1 ? `, and ${formatCount(count - 1)} more` : "";
  return `at byte ${formatCount(offset)}: ${reason}${others}`;
}

function known(count: number | null): string {
  return count === null ? UNKNOWN : formatCount(count);
}

function ledgerEntries(snapshot: Snapshot): Entry[] {
  const { ledger } = snapshot;
  const { evicted } = ledger;
  const { bytes } = snapshot.totals;
  const missing = [
    ...missingOfRequests(snapshot).map((one) => ({ title: "requests", ...one })),
    ...Object.values(snapshot.tables).flatMap((table) =>
      missingHere(snapshot, table).map((one) => ({ title: table.title, ...one })),
    ),
  ];
  const entries = missing.map(({ title, reason, count }) => ({
    what: `Missing: ${title}`,
    number: known(count),
    meaning: reason,
  }));
  const isIncomplete = captureLosses(ledger).length > 0 || missing.some(isKnown);
  const reasons = ledger.malformed.slice(0, MAX_REASONS);
  return [
    { what: "Packets read", number: formatCount(ledger.packets), meaning: "all of them are in the totals" },
    {
      what: "Bytes on the wire",
      number: formatBytes(bytes),
      meaning: `${formatCount(bytes)} B${ledger.rounded ? ", rounded" : ""}`,
    },
    {
      what: "Bytes in the capture",
      number: formatBytes(ledger.captured_bytes),
      meaning: "what the files hold of those packets",
    },
    {
      what: "Captured in part",
      number: formatCount(ledger.truncated),
      meaning: "packets longer than the capture's limit",
    },
    {
      what: "Lost while capturing",
      number: known(ledger.dropped),
      meaning: "packets that the capturing machine says it lost",
    },
    {
      what: "Not IP",
      number: formatCount(ledger.non_ip),
      meaning: "packets in ARP and OTHER: no pair, no conversation",
    },
    ...reasons.map(({ reason, packets }) => ({
      what: "Malformed",
      number: formatCount(packets),
      meaning: reason,
    })),
    {
      what: "Without a time",
      number: known(ledger.timeless),
      meaning: "packets that are not in the throughput",
    },
    {
      what: "Evicted",
      number: evicted === null ? UNKNOWN : formatCounted(evicted.conversations, "conversation"),
      meaning: `did not fit the table; summed as “other”, again each time for one that continues${evicted === null ? "" : `: ${formatBytes(evicted.bytes)}`}`,
    },
    {
      what: "Unresolved",
      number: ledger.unresolved_bytes === null ? UNKNOWN : formatBytes(ledger.unresolved_bytes),
      meaning: "to or from addresses that the names do not know",
    },
    ...(ledger.decapsulated ?? []).map(({ kind, packets }) => ({
      what: "Tunnels entered",
      number: formatCount(packets),
      meaning: `${kind}: counted by the addresses inside`,
    })),
    ...(ledger.tunnels ?? []).map(({ packets, ...tunnel }) => ({
      what: "In tunnels",
      number: formatCount(packets),
      meaning: `${tunnelText(tunnel)}: the addresses inside are not in the tables`,
    })),
    ...entries.slice(0, MAX_REASONS),
    {
      what: "Complete",
      number: isIncomplete ? "no" : describeUnknown(ledger) === "" ? "yes" : UNKNOWN,
      meaning: "yes: nothing is known to be missing",
    },
  ];
}

function drawDefinition(sheet: Sheet, term: string, meaning: string): void {
  const style = { size: SIZE.table };
  const width = MEASURE - TERM_WIDTH;
  const height = Math.max(sheet.type.height(meaning, width, style), SIZE.table * LEADING) + 3;
  sheet.keep(height);
  sheet.type.line(term, PAGE.left, sheet.y, { ...style, bold: true });
  sheet.type.paragraph(meaning, PAGE.left + TERM_WIDTH, sheet.y, width, style);
  sheet.y += height;
}
