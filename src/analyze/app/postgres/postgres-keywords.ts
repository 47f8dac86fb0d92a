/** What a statement begins with, as PostgreSQL's command tags have it, and its error codes. Never more of a query than that. */

import { Keywords } from "../keywords.js";
import { OTHER_OPERATION } from "../operations.js";

/** First words of statements (postgresql.org/docs/current/sql-commands.html) and of the replication protocol. */
const VERBS =
  `ABORT ALTER ANALYZE BASE_BACKUP BEGIN CALL CHECKPOINT CLOSE CLUSTER COMMENT COMMIT COPY CREATE CREATE_REPLICATION_SLOT
DEALLOCATE DECLARE DELETE DISCARD DO DROP DROP_REPLICATION_SLOT END EXECUTE EXPLAIN FETCH GRANT IDENTIFY_SYSTEM IMPORT INSERT LISTEN LOAD LOCK
MERGE MOVE NOTIFY PREPARE READ_REPLICATION_SLOT REASSIGN REFRESH REINDEX RELEASE RESET REVOKE ROLLBACK SAVEPOINT SECURITY SELECT SET SHOW
START START_REPLICATION TABLE TIMELINE_HISTORY TRUNCATE UNLISTEN UPDATE VACUUM VALUES WITH`.split(/\s+/);
/** What CREATE, ALTER and DROP are followed by, after words like TEMPORARY. */
const OBJECTS =
  `AGGREGATE CAST COLLATION CONVERSION DATABASE DOMAIN EVENT EXTENSION FOREIGN FUNCTION GROUP INDEX LANGUAGE MATERIALIZED
OPERATOR POLICY PROCEDURE PUBLICATION ROLE ROUTINE RULE SCHEMA SEQUENCE SERVER STATISTICS SUBSCRIPTION TABLE TABLESPACE TEXT TRANSFORM
TRIGGER TYPE USER VIEW`.split(/\s+/);
const WITH_OBJECT: ReadonlySet<string> = new Set(["CREATE", "ALTER", "DROP"]);
/** Words that may stand between the two. */
const MAX_BETWEEN = 4;

/** Names that are no verbs: in parentheses. */
export const enum Verb {
  other = 0,
  /** The query has no statement. */
  empty = 1,
  /** A statement prepared before the capture, or forgotten. */
  prepared = 2,
  startup = 3,
  encrypted = 4,
  cancel = 5,
  functionCall = 6,
  /** The first of the verbs. */
  first = 7,
}
const NAMES = [
  OTHER_OPERATION,
  "(empty)",
  "(prepared)",
  "(startup)",
  "(encrypted)",
  "(cancel)",
  "(function)",
  ...VERBS,
  ...[...WITH_OBJECT].flatMap((verb) => OBJECTS.map((object) => `${verb} ${object}`)),
];
/** Names of operations by number. */
export const VERB_NAMES: readonly Uint8Array[] = NAMES.map((name) =>
  Uint8Array.from(name, (letter) => letter.charCodeAt(0)),
);
const FIRST_WORDS = new Keywords(VERBS);
const OBJECT_WORDS = new Keywords(OBJECTS);
/** First number of those with CREATE, ALTER, DROP, by number of the verb. */
const COMPOUND: readonly number[] = VERBS.map((verb) =>
  WITH_OBJECT.has(verb) ? NAMES.indexOf(`${verb} ${OBJECTS[0]}`) : 0,
);

/** The number of a query's verb. It is in bytes [at, end); a NUL ends it earlier. Costs no more than one pass. */
export function verbOf(view: DataView, at: number, end: number): number {
  const from = skipSpace(view, at, end, true);
  if (from === end || view.getUint8(from) === 0) return Verb.empty;
  const to = skipWord(view, from, end);
  const verb = FIRST_WORDS.find(view, from, to);
  if (verb < 0) return Verb.other;
  const compound = COMPOUND[verb]!;
  if (compound === 0) return Verb.first + verb;
  let behind = to;
  for (let i = 0; i < MAX_BETWEEN; i++) {
    const word = skipSpace(view, behind, end, false);
    behind = skipWord(view, word, end);
    const object = OBJECT_WORDS.find(view, word, behind);
    if (object >= 0) return compound + object;
    if (behind === word) break;
  }
  return Verb.first + verb;
}

/** Passes over white space and comments; `isFirst`: parentheses and semicolons too. */
function skipSpace(view: DataView, at: number, end: number, isFirst: boolean): number {
  let i = at;
  for (;;) {
    if (i >= end) return end;
    const byte = view.getUint8(i);
    const next = i + 1 < end ? view.getUint8(i + 1) : 0;
    if (byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)) i++;
    else if (isFirst && (byte === 0x28 || byte === 0x3b)) i++;
    else if (byte === 0x2d && next === 0x2d) i = skipLine(view, i, end);
    else if (byte === 0x2f && next === 0x2a) i = skipComment(view, i, end);
    else return i;
  }
}

function skipLine(view: DataView, at: number, end: number): number {
  let i = at;
  while (i < end && view.getUint8(i) !== 0x0a && view.getUint8(i) !== 0) i++;
  return i;
}

/** Comments nest. */
function skipComment(view: DataView, at: number, end: number): number {
  let depth = 0;
  let i = at;
  while (i + 1 < end) {
    const pair = view.getUint16(i);
    if (pair === 0x2f2a) depth++;
    else if (pair === 0x2a2f) depth--;
    i += pair === 0x2f2a || pair === 0x2a2f ? 2 : 1;
    if (depth === 0) return i;
  }
  return end;
}

function skipWord(view: DataView, at: number, end: number): number {
  let i = at;
  while (i < end) {
    const byte = view.getUint8(i);
    const letter = byte | 0x20;
    if (!(letter >= 0x61 && letter <= 0x7a) && byte !== 0x5f && !(byte >= 0x30 && byte <= 0x39 && i > at))
      break;
    i++;
  }
  return i;
}

/** The outcome of an error that does not say its code. */
export const NO_SQLSTATE = -1;

/** Packs the five letters of a SQLSTATE at `at` into a number: base 36. 0 is 00000, success. */
export function packSqlstate(view: DataView, at: number): number {
  let value = 0;
  for (let i = at; i < at + 5; i++) {
    const byte = view.getUint8(i);
    const isDigit = byte >= 0x30 && byte <= 0x39;
    if (!isDigit && !(byte >= 0x41 && byte <= 0x5a)) return NO_SQLSTATE;
    value = value * 36 + (isDigit ? byte - 0x30 : byte - 0x41 + 10);
  }
  return value;
}

/** The SQLSTATE that an outcome is: `00000` for success, five letters of an error, `?????` where it said none. */
export function postgresOutcome(outcome: number): string {
  return outcome === NO_SQLSTATE ? "?????" : outcome.toString(36).toUpperCase().padStart(5, "0");
}
