/** Completion of the command line in bash, zsh and fish, made from the definitions of the commands. */
import type { Argument, Command, Option } from "commander";
import type { Shell } from "./shells.js";

/** What completes a value: a closed set, or what the shell finds itself. */
type Value = readonly string[] | "file" | "interface" | "netns" | "free";

interface Described {
  readonly name: string;
  readonly description: string;
}

interface OptionWords {
  /** `-o` and `--output`, or one of them. */
  readonly names: readonly string[];
  readonly description: string;
  /** Null: it takes no value. */
  readonly value: Value | null;
}

/** A command with the words that lead to it: `lab bench`, empty for the program itself. */
interface Place {
  readonly path: string;
  readonly commands: readonly Described[];
  readonly options: readonly OptionWords[];
  readonly argument: Value;
}

/** The script that a user's shell reads. Names and descriptions are the program's own, never foreign. */
export function renderCompletion(program: Command, shell: Shell): string {
  const places = placesOf(program);
  const render = { bash: renderBash, zsh: renderZsh, fish: renderFish }[shell];
  return `${render(places)}\n`;
}

function placesOf(command: Command, path = ""): Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const own: Place = {
    path,
    commands: commands.map((one) => ({ name: one.name(), description: firstSentence(one.description()) })),
    options: help.visibleOptions(command).map(wordsOf),
    argument: argumentOf(command.registeredArguments[0]),
  };
  const below = command.commands.flatMap((one) => placesOf(one, `${path} ${one.name()}`.trim()));
  return [own, ...below];
}

function wordsOf(option: Option): OptionWords {
  const names = [option.short, option.long].filter((name) => name !== undefined);
  const description = firstSentence(option.description);
  return { names, description, value: option.required || option.optional ? kindOf(option) : null };
}

/** Names of values that are files, in angle brackets. */
const FILES = /file|dir|\.pdf|\.json|path|socket/;

function kindOf({ argChoices, long, flags }: Option): Value {
  if (argChoices !== undefined) return argChoices;
  if (long === "--interface" || long === "--bridge") return "interface";
  if (long === "--netns") return "netns";
  return FILES.test(/[<[].*[>\]]/.exec(flags)?.[0] ?? "") ? "file" : "free";
}

function argumentOf(argument: Argument | undefined): Value {
  if (argument === undefined) return "free";
  return argument.argChoices ?? (FILES.test(argument.name()) ? "file" : "free");
}

function firstSentence(text: string): string {
  return text.split(/[;:(]/)[0]!.replaceAll("`", "").trim().replace(/\.$/, "");
}

/** A text as one word of a shell: the three agree on single quotes without a backslash. */
function quote(text: string): string {
  return `'${text.replaceAll("\\", "").replaceAll("'", "’")}'`;
}

const INTERFACES = "$(command ls /sys/class/net 2>/dev/null)";
const NETNS = "$(command ls /run/netns 2>/dev/null)";

/** `case` patterns of the words that lead to each command. */
function pathPatterns(places: readonly Place[]): string {
  const paths = places.filter(({ path }) => path !== "").map(({ path }) => `" ${path}"`);
  return paths.join(" | ");
}

/** `case` patterns for the value of an option at a place. */
function valuePatterns({ path }: Place, { names }: OptionWords): string {
  const at = path === "" ? "" : ` ${path}`;
  return names.map((name) => `"${at}:${name}"`).join(" | ");
}

function caseOf(place: Place): string {
  return place.path === "" ? '""' : `" ${place.path}"`;
}

function renderBash(places: readonly Place[]): string {
  const complete = (value: Value) => {
    if (value === "file") return "_netwatch_files";
    if (value === "free") return ":";
    return `_netwatch_words "${bashWords(value)}"`;
  };
  const values = places.flatMap((place) =>
    place.options
      .filter(({ value }) => value !== null)
      .map((option) => `    ${valuePatterns(place, option)}) ${complete(option.value!)}; return ;;`),
  );
  const here = places.map((place) => {
    const options = place.options.flatMap(({ names }) => names).join(" ");
    const rest =
      place.commands.length > 0
        ? `_netwatch_words "${place.commands.map(({ name }) => name).join(" ")}"`
        : complete(place.argument);
    return `    ${caseOf(place)})\n      if [[ $word == -* ]]; then _netwatch_words "${options}"; else ${rest}; fi ;;`;
  });
  return `# Completion of netwatch for bash: netwatch completion bash > /etc/bash_completion.d/netwatch
_netwatch_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }
_netwatch_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
_netwatch() {
  local word=\${COMP_WORDS[COMP_CWORD]} line="" i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$line \${COMP_WORDS[i]}" in
      ${pathPatterns(places)}) line="$line \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$line:\${COMP_WORDS[COMP_CWORD - 1]}" in
${values.join("\n")}
  esac
  case "$line" in
${here.join("\n")}
  esac
}
complete -F _netwatch netwatch`;
}

function bashWords(value: Exclude<Value, "file" | "free">): string {
  if (value === "interface") return INTERFACES;
  if (value === "netns") return NETNS;
  return value.join(" ");
}

function renderZsh(places: readonly Place[]): string {
  const complete = (value: Value) => {
    if (value === "file") return "_files";
    if (value === "free") return "_message value";
    if (value === "interface") return `compadd -- \${(f)"${INTERFACES}"}`;
    if (value === "netns") return `compadd -- \${(f)"${NETNS}"}`;
    return `compadd -- ${value.join(" ")}`;
  };
  const described = (list: readonly Described[]) =>
    list.map(({ name, description }) => quote(`${name}:${description.replaceAll(":", "")}`)).join(" ");
  const values = places.flatMap((place) =>
    place.options
      .filter(({ value }) => value !== null)
      .map((option) => `    ${valuePatterns(place, option)}) ${complete(option.value!)}; return ;;`),
  );
  const here = places.map((place) => {
    const options = described(
      place.options.flatMap(({ names, description }) => names.map((name) => ({ name, description }))),
    );
    const rest =
      place.commands.length > 0
        ? `list=(${described(place.commands)}); _describe command list`
        : complete(place.argument);
    return `    ${caseOf(place)})\n      if [[ $PREFIX == -* ]]; then list=(${options}); _describe -o option list\n      else ${rest}; fi ;;`;
  });
  return `#compdef netwatch
# Completion of netwatch for zsh: netwatch completion zsh > "\${fpath[1]}/_netwatch"
_netwatch() {
  local line="" i
  local -a list
  for ((i = 2; i < CURRENT; i++)); do
    case "$line \${words[i]}" in
      ${pathPatterns(places)}) line="$line \${words[i]}" ;;
    esac
  done
  case "$line:\${words[CURRENT - 1]}" in
${values.join("\n")}
  esac
  case "$line" in
${here.join("\n")}
  esac
}
if [[ "\${funcstack[1]}" == _netwatch ]]; then _netwatch "$@"; else compdef _netwatch netwatch; fi`;
}

function renderFish(places: readonly Place[]): string {
  const values = (value: Value | null) => {
    if (value === null) return "";
    if (value === "file") return " -r -F";
    if (value === "free") return " -x";
    if (value === "interface") return " -x -a '(command ls /sys/class/net 2>/dev/null)'";
    if (value === "netns") return " -x -a '(command ls /run/netns 2>/dev/null)'";
    return ` -x -a ${quote(value.join(" "))}`;
  };
  const lines = places.flatMap((place) => {
    const at = `complete -c netwatch -n ${quote(`__netwatch_at "${place.path}"`)}`;
    const options = place.options.map(({ names, description, value }) => {
      const flags = names.map((name) =>
        name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
      );
      return `${at} ${flags.join(" ")}${values(value)} -d ${quote(description)}`;
    });
    const commands = place.commands.map(
      ({ name, description }) => `${at} -a ${name} -d ${quote(description)}`,
    );
    return [...options, ...commands, ...(place.argument === "file" ? [`${at} -F`] : [])];
  });
  const paths = places.filter(({ path }) => path !== "").map(({ path }) => quote(path));
  return `# Completion of netwatch for fish: netwatch completion fish > ~/.config/fish/completions/netwatch.fish
function __netwatch_at
    set -l line
    for word in (commandline -opc)[2..-1]
        contains -- (string trim -- "$line $word") ${paths.join(" ")}
        and set -a line $word
    end
    test "$line" = $argv[1]
end
complete -c netwatch -f
${lines.join("\n")}`;
}
