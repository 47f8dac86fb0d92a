/**
 * The part of Wazuh's rule matching that local_rules.xml uses, by its documentation (user-manual/ruleset/ruleset-xml-syntax/rules,
 * user-manual/ruleset/decoders/json-decoder): a rule matches when all its conditions do; below the one that matched, the rules that
 * name it as `if_sid` or `if_matched_sid` are tried, those of higher level first; the last that matched is the event's.
 * `frequency`: the event that makes it so many within `timeframe` seconds, by the rule that is named, is the one that fires.
 */
import { readFileSync } from "node:fs";
import { XMLParser, XMLValidator } from "fast-xml-parser";

export interface Rule {
  readonly id: number;
  readonly level: number;
  readonly frequency: number | null;
  /** Seconds. */
  readonly timeframe: number | null;
  readonly decodedAs: string | null;
  readonly fields: readonly { readonly name: string; readonly pattern: string }[];
  readonly ifSid: number | null;
  readonly ifMatchedSid: number | null;
  readonly sameFields: readonly string[];
  readonly description: string;
  readonly mitre: readonly string[];
}

type Node = Readonly<Record<string, unknown>>;

const KNOWN = new Set([
  ...["@id", "@level", "@frequency", "@timeframe", "decoded_as", "field", "if_sid", "if_matched_sid"],
  ...["same_field", "description", "mitre"],
]);

/** Throws for unsupported conditions. */
export function readRules(file: URL): Rule[] {
  const text = readFileSync(file, "utf8");
  const valid = XMLValidator.validate(text);
  if (valid !== true) throw new Error(`${valid.err.msg}, line ${valid.err.line}`);
  const parser = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: "@",
    parseTagValue: false,
    isArray: (name) => ["rule", "field", "same_field", "id"].includes(name),
  });
  const { group } = parser.parse(text) as { group: { rule: Node[] } };
  return group.rule.map(ruleOf);
}

function ruleOf(node: Node): Rule {
  for (const name of Object.keys(node)) if (!KNOWN.has(name)) throw new Error(`unknown in a rule: ${name}`);
  const number = (name: string) => (node[name] === undefined ? null : Number(node[name]));
  const fields = ((node.field ?? []) as Node[]).map((field) => {
    if (field["@type"] !== "pcre2") throw new Error("only fields of type pcre2 are understood");
    return { name: String(field["@name"]), pattern: String(field["#text"]) };
  });
  const text = (name: string) => (node[name] === undefined ? null : String(node[name]));
  return {
    id: number("@id")!,
    level: number("@level")!,
    frequency: number("@frequency"),
    timeframe: number("@timeframe"),
    decodedAs: text("decoded_as"),
    fields,
    ifSid: number("if_sid"),
    ifMatchedSid: number("if_matched_sid"),
    sameFields: (node.same_field ?? []) as string[],
    description: String(node.description),
    mitre: (node.mitre as { id: string[] } | undefined)?.id ?? [],
  };
}

interface Seen {
  readonly rule: number;
  readonly seconds: number;
  readonly fields: ReadonlyMap<string, string>;
}

/** The result of one event. */
export interface Verdict {
  /** The event's rule; null: none matched. */
  readonly rule: Rule | null;
  /** Its description, with the event's fields. */
  readonly text: string;
}

export class RuleEngine {
  readonly #rules: readonly Rule[];
  readonly #seen: Seen[] = [];

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** `seconds`: time of the line. */
  take(line: string, seconds: number): Verdict {
    const fields = decode(line);
    let rule: Rule | null = null;
    let open = this.#rules.filter(({ ifSid, ifMatchedSid }) => ifSid === null && ifMatchedSid === null);
    for (;;) {
      const next = [...open]
        .sort((a, b) => b.level - a.level)
        .find((candidate) => this.#matches(candidate, fields, seconds));
      if (next === undefined) break;
      rule = next;
      open = this.#rules.filter(({ ifSid, ifMatchedSid }) => (ifSid ?? ifMatchedSid) === next.id);
    }
    if (rule !== null) this.#seen.push({ rule: rule.id, seconds, fields: fields! });
    return { rule, text: fields === null || rule === null ? "" : fill(rule.description, fields) };
  }

  #matches(rule: Rule, fields: ReadonlyMap<string, string> | null, seconds: number): boolean {
    if (fields === null) return false;
    if (rule.decodedAs !== null && rule.decodedAs !== "json") return false;
    const isMatch = ({ name, pattern }: Rule["fields"][number]) =>
      fields.has(name) && new RegExp(pattern).test(fields.get(name)!);
    if (!rule.fields.every(isMatch)) return false;
    if (rule.ifMatchedSid === null) return true;
    const before = this.#seen.filter(
      (event) =>
        event.rule === rule.ifMatchedSid &&
        seconds - event.seconds <= rule.timeframe! &&
        rule.sameFields.every((name) => fields.has(name) && event.fields.get(name) === fields.get(name)),
    );
    return before.length + 1 >= rule.frequency!;
  }
}

/** The built-in decoder `json` accepts text that begins with `{"`; its fields are texts, nested ones with dots. null: not accepted. */
function decode(line: string): ReadonlyMap<string, string> | null {
  if (!/^\{\s*"/.test(line)) return null;
  const fields = new Map<string, string>();
  const add = (prefix: string, value: object): void => {
    for (const [name, inner] of Object.entries(value))
      if (inner !== null && typeof inner === "object") add(`${prefix}${name}.`, inner);
      else fields.set(`${prefix}${name}`, String(inner));
  };
  add("", JSON.parse(line));
  return fields;
}

function fill(description: string, fields: ReadonlyMap<string, string>): string {
  return description.replace(/\$\((\w+)\)/g, (_, name: string) => fields.get(name) ?? "");
}
