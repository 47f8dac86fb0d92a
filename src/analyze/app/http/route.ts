/** The route of a request target: its path without values, so that requests for different things of one kind are one operation. */
import type { Channel } from "../operations.js";
import type { Vocabulary } from "../vocabulary.js";
import { equals, isPlainWord } from "./plain-word.js";

const enum Letter {
  hash = 0x23,
  star = 0x2a,
  dot = 0x2e,
  slash = 0x2f,
  colon = 0x3a,
  semicolon = 0x3b,
  question = 0x3f,
}

/** Segments of a path that are told apart; the rest is `...`, as is what finds no room. */
const MAX_SEGMENTS = 8;

const ID = bytesOf("{id}");
const REST = bytesOf("/...");
const NONE = bytesOf("{target}");

/** Files that a page is made of: told apart by their extension only. */
const ASSETS =
  "js css map png jpg jpeg gif svg ico webp avif woff woff2 ttf otf eot mp3 mp4 webm wasm pdf zip gz tgz bz2 xz jar exe apk bin iso dat".split(
    " ",
  );
/** Files that are what was asked for: told apart by their name where it is a word. */
const DOCUMENTS = "html htm json xml txt php asp aspx jsp do cgi md csv yml yaml rss".split(" ");
const MAX_EXTENSION = 5;

/**
 * Writes the route of the request target in bytes [at, end) into `into` from `length` on; returns the new length. RFC 9112 3.2: an
 * absolute target loses its scheme, user and host, `*` stays. Query, fragment and parameters (`;`) are left out. A segment that is
 * not plainly a word is `{id}`; so is one at a place where a channel has had many words already.
 */
export function writeRoute(
  view: DataView,
  at: number,
  end: number,
  into: Uint8Array,
  length: number,
  vocabulary: Vocabulary,
  channel: Channel,
): number {
  let from = at;
  if (from < end && view.getUint8(from) !== Letter.slash) {
    if (end - from === 1 && view.getUint8(from) === Letter.star) {
      into[length] = Letter.star;
      return length + 1;
    }
    from = pathOfUrl(view, from, end);
    if (from < 0) return write(into, length, NONE);
  }
  let place = Math.imul(channel + 1, 0x9e3779b1);
  let written = length;
  for (let segments = 0; ; segments++) {
    if (segments === MAX_SEGMENTS) return write(into, written, REST);
    const stop = segmentEnd(view, from + 1, end);
    const start = written;
    into[written++] = Letter.slash;
    written = writeSegment(view, from + 1, stop, into, written, vocabulary, place);
    // Writes past the end had no effect: a typed array ignores them.
    if (written + REST.length > into.length) return write(into, start, REST);
    for (let i = start; i < written; i++) place = Math.imul(place ^ into[i]!, 0x01000193);
    from = nextSlash(view, stop, end);
    if (from < 0) return written;
  }
}

/** Where the path of an absolute target begins, or its end; -1: it is none. */
function pathOfUrl(view: DataView, at: number, end: number): number {
  for (let i = at; i + 2 < end; i++) {
    const byte = view.getUint8(i);
    if (byte === Letter.slash || byte === Letter.question) return -1;
    if (byte !== Letter.colon) continue;
    if (view.getUint8(i + 1) !== Letter.slash || view.getUint8(i + 2) !== Letter.slash) return -1;
    for (let j = i + 3; j < end; j++) {
      const next = view.getUint8(j);
      if (next === Letter.slash) return j;
      if (next === Letter.question || next === Letter.hash) return end;
    }
    return end;
  }
  return -1;
}

/** Where the segment ends that begins at `at`: before its parameters, the next one or the query. */
function segmentEnd(view: DataView, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const byte = view.getUint8(i);
    if (
      byte === Letter.slash ||
      byte === Letter.question ||
      byte === Letter.semicolon ||
      byte === Letter.hash
    )
      return i;
  }
  return Math.max(at, end);
}

/** The slash that ends the parameters at `at`, or -1. */
function nextSlash(view: DataView, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const byte = view.getUint8(i);
    if (byte === Letter.slash) return i;
    if (byte === Letter.question || byte === Letter.hash) return -1;
  }
  return -1;
}

function writeSegment(
  view: DataView,
  at: number,
  end: number,
  into: Uint8Array,
  length: number,
  vocabulary: Vocabulary,
  place: number,
): number {
  if (at >= end) return length;
  const dot = extensionAt(view, at, end);
  const isAsset = dot >= 0 && isOneOf(view, dot + 1, end, ASSETS);
  const isDocument = dot >= 0 && !isAsset && isOneOf(view, dot + 1, end, DOCUMENTS);
  if (!isAsset && isPlainWord(view, at, isDocument ? dot : end)) {
    let word = end - at;
    for (let i = at; i < end; i++) word = Math.imul(word ^ view.getUint8(i), 0x01000193);
    if (vocabulary.admits(place, word)) return copy(view, at, end, into, length);
  }
  if (!isAsset && !isDocument) return write(into, length, ID);
  into[length] = Letter.star;
  return copy(view, dot, end, into, length + 1);
}

/** Where the dot of a short extension is, or -1. */
function extensionAt(view: DataView, at: number, end: number): number {
  for (let i = end - 1; i > at && i >= end - 1 - MAX_EXTENSION; i--)
    if (view.getUint8(i) === Letter.dot) return i;
  return -1;
}

function isOneOf(view: DataView, at: number, end: number, names: readonly string[]): boolean {
  for (const name of names) if (name.length === end - at && equals(view, at, name)) return true;
  return false;
}

function copy(view: DataView, at: number, end: number, into: Uint8Array, length: number): number {
  for (let i = at; i < end; i++) into[length + i - at] = view.getUint8(i);
  return length + end - at;
}

function write(into: Uint8Array, length: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) into[length + i] = bytes[i]!;
  return length + bytes.length;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
