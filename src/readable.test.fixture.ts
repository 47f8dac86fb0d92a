/** Tests whose programs read modules as another user. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** Why a program of this checkout cannot load modules as the user `nobody`, or false. */
export function reasonUnreadable(): string | false {
  for (
    let folder = dirname(fileURLToPath(import.meta.url));
    folder !== dirname(folder);
    folder = dirname(folder)
  )
    if ((statSync(folder).mode & 0o001) === 0) return `the user nobody may not enter ${folder}`;
  return false;
}
