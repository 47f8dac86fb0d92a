/**
 * Compiles assembly/ to WebAssembly and writes wasm.ts, a module that holds its bytes as text: so it is compiled, loaded and packed as every
 * other module is. Does nothing where that is newer than what it is made of. Run by `npm run build`, before tsc.
 */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const ASSEMBLY = join(HERE, "assembly");
const TO = join(HERE, "wasm.ts");

const sources = readdirSync(ASSEMBLY).map((name) => join(ASSEMBLY, name));
sources.push(join(HERE, "layout.ts"), fileURLToPath(import.meta.url));
const changed = Math.max(...sources.map((path) => statSync(path).mtimeMs));
if ((statSync(TO, { throwIfNoEntry: false })?.mtimeMs ?? 0) < changed) await build();

async function build() {
  const asc = await import("assemblyscript/asc");
  let binary;
  const { error, stderr } = await asc.main(
    [
      join(ASSEMBLY, "core.ts"),
      "--outFile=core.wasm",
      "--runtime=stub",
      "--importMemory",
      "--noExportMemory",
      "--use=abort=",
      "-O3",
      "--noAssert",
      "--converge",
    ],
    {
      writeFile(name, contents) {
        if (name.endsWith(".wasm")) binary = contents;
      },
    },
  );
  if (error !== null || binary === undefined) {
    process.stderr.write(stderr.toString());
    throw error ?? new Error("the compiler of the core wrote nothing");
  }
  writeFileSync(
    TO,
    `/** The compiled core, base64. Written by build.mjs. */\nexport const WASM: string = "${Buffer.from(binary).toString("base64")}";\n`,
  );
}
