import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { flawOf } from "../../services/e2e/event-flaw.js";
import { type Rule, RuleEngine, readRules, type Verdict } from "./rule-engine.test.fixture.js";

const FOLDER = new URL("../../../deploy/wazuh/", import.meta.url);
const FILE = new URL("local_rules.xml", FOLDER);
const FIRED = new URL("samples/fired.txt", FOLDER);
const RULES = readRules(FILE);
const SCHEMA = JSON.parse(readFileSync(new URL("../events/event.schema.json", FOLDER), "utf8"));

/** Wazuh keeps these beside the fields of an event; a rule's `field` cannot name them (dynamic-fields in its manual). */
const STATIC_FIELDS =
  /^(user|srcuser|dstuser|srcip|dstip|srcport|dstport|protocol|action|id|url|data|extra_data|status|command|system_?name)$/;

/** Recorded from real runs: RECORD_EVENTS=1 with services/lab.e2e.test.ts and src/commands/events.e2e.test.ts. */
const samples = ["lab", "netwatch"].flatMap((name) =>
  readFileSync(new URL(`samples/${name}.ndjson`, FOLDER), "utf8")
    .trimEnd()
    .split("\n"),
);

function play(lines: readonly string[]): { line: string; verdict: Verdict }[] {
  const engine = new RuleEngine(RULES);
  return lines.map((line) => {
    const { time } = JSON.parse(line) as { time: string | number };
    return { line, verdict: engine.take(line, new Date(time).getTime() / 1000) };
  });
}

const fieldSchemas: ReadonlyMap<string, object[]> = (() => {
  const found = new Map<string, object[]>();
  for (const { properties } of [SCHEMA, ...SCHEMA.oneOf])
    for (const [name, schema] of Object.entries(properties as Record<string, object>))
      found.set(name, [...(found.get(name) ?? []), schema]);
  return found;
})();

test("rules have ids of their own in the range for local rules, levels that exist, and a comment with the reason", () => {
  const text = readFileSync(FILE, "utf8");
  assert.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length);
  for (const { id, level, description, mitre, frequency, timeframe, ifMatchedSid } of RULES) {
    assert.ok(id >= 100_000 && id <= 120_000, String(id));
    assert.ok(Number.isInteger(level) && level >= 0 && level <= 16);
    assert.ok(description.startsWith("netwatch: "));
    for (const technique of mitre) assert.match(technique, /^T\d{4}(\.\d{3})?$/);
    assert.deepEqual(
      [frequency === null, timeframe === null],
      [ifMatchedSid === null, ifMatchedSid === null],
    );
    const comment = new RegExp(`<!--((?:(?!-->)[^])*)-->\\s*<rule id="${id}"`).exec(text)?.[1] ?? "";
    assert.ok(comment.length > 20, `${id} has no comment`);
    for (const technique of mitre)
      assert.ok(
        comment.includes(technique) || /frequency/.test(String(frequency)) || frequency !== null,
        `${id} ${technique}`,
      );
  }
});

test("rules name fields that events have, and no field that Wazuh keeps elsewhere", () => {
  for (const { fields, sameFields, description } of RULES) {
    const names = [...fields.map(({ name }) => name), ...sameFields];
    for (const [, name] of description.matchAll(/\$\((\w+)\)/g)) names.push(name!);
    for (const name of names) assert.ok(fieldSchemas.has(name), name);
  }
  for (const name of fieldSchemas.keys()) assert.doesNotMatch(name, STATIC_FIELDS);
});

test("patterns are whole words that the schema lists, so that no rule waits for what never comes", () => {
  for (const { fields } of RULES)
    for (const { name, pattern } of fields) {
      const listed = fieldSchemas.get(name)!.flatMap((schema) => {
        const { enum: words, const: word } = schema as { enum?: string[]; const?: string };
        return words ?? (word === undefined ? [] : [word]);
      });
      const words = wordsOf(pattern);
      assert.ok(words.length > 0, pattern);
      for (const word of words) assert.ok(listed.includes(word), `${name}: ${word}`);
    }
});

/** Patterns such as `^a$`, `^(a|b)$`, `^(a|b)-c$`. */
function wordsOf(pattern: string): string[] {
  const match = /^\^(?:([\w-]+)|\(([\w|-]+)\)([\w-]*))\$$/.exec(pattern);
  if (match === null) return [];
  return match[1] === undefined ? match[2]!.split("|").map((word) => word + match[3]) : [match[1]];
}

test("of the rules below one at most one takes an event, frequencies aside: their order does not matter", () => {
  const parents = new Set(RULES.map(({ ifSid }) => ifSid));
  for (const parent of parents) {
    const below = RULES.filter((rule) => rule.ifSid === parent && rule.ifMatchedSid === null);
    const words = below.flatMap(({ fields }) =>
      fields.flatMap(({ name, pattern }) => wordsOf(pattern).map((word) => `${name} ${word}`)),
    );
    assert.equal(new Set(words).size, words.length);
  }
});

test("what each recorded line comes to (UPDATE_GOLDEN=1 rewrites samples/fired.txt)", () => {
  const text = play(samples)
    .map(
      ({ line, verdict: { rule, text } }) =>
        `${rule?.id ?? "-"} ${rule?.level ?? "-"} ${rule === null ? line.slice(0, 60) : text}\n`,
    )
    .join("");
  if (process.env.UPDATE_GOLDEN) writeFileSync(FIRED, text);
  assert.equal(readFileSync(FIRED, "utf8"), text);
});

const played = play(samples);

/** Whether the event's rule is this one or a descendant of it. null: every event descends from no rule. */
function isBelow(rule: Rule | null, id: number | null): boolean {
  if (id === null) return true;
  if (rule === null) return false;
  return rule.id === id || isBelow(RULES.find((other) => other.id === parentOf(rule)) ?? null, id);
}

function parentOf({ ifSid, ifMatchedSid }: Rule): number | null {
  return ifSid ?? ifMatchedSid;
}

for (const rule of RULES) {
  test(`rule ${rule.id} takes a recorded event, and leaves one that came as near as its parent`, () => {
    const took = played.some(({ verdict }) => isBelow(verdict.rule, rule.id));
    const left = played.some(
      ({ verdict }) => isBelow(verdict.rule, parentOf(rule)) && !isBelow(verdict.rule, rule.id),
    );
    assert.deepEqual({ took, left }, { took: true, left: true });
  });
}

test("the samples are events as the schema describes them, but for a service's own log line", () => {
  const others = samples.filter((line) => flawOf(line) !== "");
  assert.equal(others.length, 1);
  assert.equal(JSON.parse(others[0]!).instance, "service-registry");
});

test("a frequency counts what is near in time and of the same field", () => {
  const dial = samples.find((line) => line.includes('"retired-port-dial"'))!;
  const other = dial.replaceAll(/"client_address":"[^"]*"/g, '"client_address":"192.0.2.1"');
  const engine = new RuleEngine(RULES);
  const ids = (
    [
      [dial, 0],
      [dial, 50],
      [dial, 61],
      [other, 62],
      [dial, 63],
      [dial, 200],
    ] as const
  ).map(([line, seconds]) => engine.take(line, seconds).rule?.id);
  assert.deepEqual(ids, [100410, 100410, 100410, 100410, 100411, 100410]);
});

test("a line that is no JSON, or whose words only contain a rule's, fires nothing", () => {
  const engine = new RuleEngine(RULES);
  const event = JSON.parse(samples[0]!);
  for (const line of ["", "netwatch-event", "[1]", JSON.stringify({ ...event, format: "netwatch-events" })])
    assert.equal(engine.take(line, 0).rule, null, line);
  const root = engine.take(JSON.stringify({ ...event, event: "watching" }), 0).rule;
  assert.equal(root?.id, 100400, "an event of a later version is known and raises no alert");
});
