/** A terminal for tests: it records output, and compares it with golden files. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Terminal } from "./terminal.js";

/** The checkout, from dist/src/commands. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** A terminal that remembers. Its state folder is a fresh one; `dispose` removes it. */
export interface FakeTerminal extends Terminal {
  readonly folder: string;
  out(): string;
  readonly said: string[];
  dispose(): void;
}

export function createFakeTerminal(stdin: readonly Uint8Array[] = [], width = 80): FakeTerminal {
  const folder = mkdtempSync(join(tmpdir(), "netwatch-test-"));
  const written: Uint8Array[] = [];
  const said: string[] = [];
  return {
    folder,
    out: () => Buffer.concat(written).toString("utf8"),
    said,
    dispose: () => rmSync(folder, { recursive: true, force: true }),
    async write(pieces) {
      for (const piece of pieces) written.push(Buffer.from(piece));
    },
    say: (line) => said.push(line),
    progress: () => {},
    stdin: (async function* () {
      yield* stdin;
    })(),
    width,
    color: false,
    env: { XDG_STATE_HOME: folder },
  };
}

/** Compares with fixtures/golden/NAME; UPDATE_GOLDEN=1 writes it instead. */
export function expectGolden(name: string, actual: string): void {
  const path = join(ROOT, "fixtures/golden", name);
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, actual);
  }
  assert.equal(
    actual,
    readFileSync(path, "utf8"),
    `differs from fixtures/golden/${name}; UPDATE_GOLDEN=1 rewrites it`,
  );
}
