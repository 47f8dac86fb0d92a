/** Words that must not come back: the project is written in plain, modern English. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const WORDS = [
  "whom",
  "amid",
  "ceases?",
  "ceased",
  "somebody",
  "nobody",
  "anybody",
  "everybody",
  "anew",
  "hence",
  "thence",
  "whence",
  "lest",
  "upon",
  "whilst",
  "albeit",
  "hitherto",
  "beforehand",
  "thereof",
  "therein",
  "whereby",
  "by themselves",
  "goe?s? before",
  "for want of",
  "at one go",
  "were it",
  "Of no",
];

/** Lower case or capitalised; constants such as NOBODY do not count. */
const UNWANTED = new RegExp(
  `\\b(?:${WORDS.flatMap((word) => [word, word[0]!.toUpperCase() + word.slice(1)]).join("|")})\\b`,
  "g",
);

/** The phrase on the front page, the user, and the reason that health checks report in JSON, events and metrics. */
const WANTED =
  /\b[Ww]ho (?:talk(?:s|ed) to|calls) whom\b|[`"']nobody[`"']|\buser nobody\b|\belse\s+nobody\b|: nobody$|\bnobody listens\b/gm;

const PLACES = [
  "src",
  "bench",
  "services",
  "deploy",
  "docs",
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "setup.sh",
];

/** Data, texts of others, and this list. */
const ELSEWHERE = /\/samples\/|\/OFL\.txt$|\.ttf$|\/pictures\/|src\/english\.test\.ts$/;

function filesOf(place: string): string[] {
  const path = join(ROOT, place);
  if (statSync(path).isFile()) return [place];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length));
}

/** `line: word` of each unwanted word. */
function unwantedIn(text: string): string[] {
  return text
    .replaceAll(WANTED, "")
    .split("\n")
    .flatMap((line, i) => [...line.matchAll(UNWANTED)].map(([word]) => `${i + 1}: ${word}`));
}

test("no text of the project has a word that only old books use", () => {
  const files = PLACES.flatMap(filesOf).filter((file) => !ELSEWHERE.test(file));
  assert.ok(files.length > 600, `${files.length} files`);
  const found = files.flatMap((file) =>
    unwantedIn(readFileSync(join(ROOT, file), "utf8")).map((hit) => `${file}:${hit}`),
  );
  assert.equal(found.length, 0, found.join("\n"));
});

test("unwanted words are found, the user nobody and the front page's phrase are not", () => {
  assert.deepEqual(unwantedIn("It begins anew.\nNobody asks.\n// Of no request"), [
    "1: anew",
    "2: Nobody",
    "3: Of no",
  ]);
  const wanted = "Who talks to whom, as the user nobody, or `nobody`; a port where nobody listens; NOBODY";
  assert.deepEqual(unwantedIn(wanted), []);
});
