import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { runCommand, tryCommand } from "../host/command.js";
import { postgresBin } from "../servers/postgres.js";

/** Replaces an image that cannot be pulled: this machine's programs with the libraries they load. */
export interface BaseImage {
  /** Programs and libraries; includes the libraries they load. */
  readonly programs: readonly string[];
  /** Whole folders, and files as they are. */
  readonly paths: readonly string[];
  /** Name and id of the image's user. */
  readonly user?: readonly [name: string, id: number];
  /** Writes further files into the folder that is copied over its root. */
  readonly furnish?: (root: string) => void;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
}

const SHELL = ["sh", "bash", "cat", "ls", "mkdir"].map((name) => `/usr/bin/${name}`);
/** Debian's merged /usr: every path is looked up through these. */
const MERGED = ["/bin", "/sbin", "/lib", "/lib64"];
const LIBPCAP = "/usr/lib/x86_64-linux-gnu/libpcap.so.0.8";

/** By the variables of `.env` that choose the images. */
export async function baseImages(): Promise<ReadonlyMap<string, BaseImage>> {
  const node: BaseImage = { programs: [...SHELL, process.execPath, LIBPCAP], paths: [], changes: [] };
  return new Map<string, BaseImage>([
    ["NODE_IMAGE", node],
    ["BUILD_IMAGE", await withNpm(node)],
    ["NGINX_IMAGE", nginxBase],
    ["REDIS_IMAGE", redisBase],
    ["POSTGRES_IMAGE", postgresBase()],
  ]);
}

/** npm and its cache, so that a build needs no registry. */
async function withNpm(node: BaseImage): Promise<BaseImage> {
  const cache = (await runCommand("npm", ["config", "get", "cache"])).trim();
  const npm = resolve(realpathSync("/usr/bin/npm"), "../..");
  return {
    programs: [...node.programs, "/usr/bin/env"],
    paths: [npm, "/usr/bin/npm", "/usr/bin/npx", `${cache}/_cacache`],
    changes: [`ENV npm_config_cache=${cache}`, "ENV npm_config_offline=true"],
  };
}

const nginxBase: BaseImage = {
  programs: [...SHELL, "/usr/sbin/nginx", "/usr/bin/curl"],
  paths: [],
  user: ["nginx", 101],
  changes: [],
};

const redisBase: BaseImage = {
  programs: [...SHELL, "/usr/bin/redis-server", "/usr/bin/redis-cli"],
  paths: [],
  user: ["redis", 999],
  changes: [],
};

/** The behaviour of the usual image's entrypoint that compose.yml relies on. */
const POSTGRES_ENTRYPOINT = `#!/bin/bash
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U postgres --auth-local=trust --auth-host=scram-sha-256 --pwfile=<(cat "$POSTGRES_PASSWORD_FILE") $POSTGRES_INITDB_ARGS
  echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
  pg_ctl -o "-c listen_addresses=" -w start
  for file in /docker-entrypoint-initdb.d/*.sql; do psql -v ON_ERROR_STOP=1 --no-psqlrc -U postgres -f "$file"; done
  pg_ctl -m fast -w stop
fi
exec "$@"
`;

function postgresBase(): BaseImage {
  const bin = postgresBin() ?? "";
  const home = dirname(bin);
  const libraries = ["plpgsql.so", "dict_snowball.so"].map((name) => `${home}/lib/${name}`);
  const programs = ["postgres", "initdb", "pg_ctl", "psql", "pg_isready"].map((name) => `${bin}/${name}`);
  return {
    programs: [...SHELL, ...programs, ...libraries],
    paths: [`/usr/share/postgresql/${basename(home)}`, "/usr/share/zoneinfo", "/usr/lib/locale"],
    user: ["postgres", 999],
    furnish: (root) => {
      mkdirSync(join(root, "var/lib/postgresql/data"), { recursive: true });
      chownSync(join(root, "var/lib/postgresql/data"), 999, 999);
      symlinkSync("/run", join(root, "var/run"));
      mkdirSync(join(root, "usr/local/bin"), { recursive: true });
      writeFileSync(join(root, "usr/local/bin/docker-entrypoint.sh"), POSTGRES_ENTRYPOINT, { mode: 0o755 });
    },
    changes: [
      `ENV PATH=/usr/local/bin:/usr/bin:/bin:${bin}`,
      "ENV PGDATA=/var/lib/postgresql/data",
      'ENTRYPOINT ["docker-entrypoint.sh"]',
    ],
  };
}

/** Streams the image's root into `docker import`. */
export async function importImage(docker: readonly string[], name: string, image: BaseImage): Promise<void> {
  const over = mkdtempSync(join(tmpdir(), "netwatch-image-"));
  try {
    furnish(over, image);
    const listed = [...MERGED, ...(await filesOf(image.programs)), ...image.paths].map((path) =>
      path.slice(1),
    );
    const tar = spawn("tar", ["-c", "-C", "/", ...new Set(listed), "-C", over, "."], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const changes = image.changes.flatMap((line) => ["--change", line]);
    const [program, ...words] = [...docker, "import", ...changes, "-", name];
    const load = spawn(program!, words, { stdio: ["pipe", "ignore", "inherit"] });
    const ended = [tar, load].map((child) => once(child, "close"));
    await pipeline(tar.stdout, load.stdin);
    for (const [code] of await Promise.all(ended)) if (code !== 0) throw new Error(`${name} cannot be made`);
  } finally {
    rmSync(over, { recursive: true });
  }
}

function furnish(root: string, { user, furnish }: BaseImage): void {
  const users = [["root", 0] as const, ...(user ? [user] : []), ["nobody", 65534] as const];
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/passwd"), users.map(([n, id]) => `${n}:x:${id}:${id}::/:/bin/sh\n`).join(""));
  writeFileSync(
    join(root, "etc/group"),
    [...users, ["nogroup", 65534]].map(([n, id]) => `${n}:x:${id}:\n`).join(""),
  );
  mkdirSync(join(root, "tmp"), { mode: 0o1777 });
  for (const folder of ["run", "var", "proc", "sys", "dev"]) mkdirSync(join(root, folder));
  furnish?.(root);
}

/** The programs, what the loader loads for them (ldd(1)), and every link on the way. */
async function filesOf(programs: readonly string[]): Promise<string[]> {
  const { stdout } = await tryCommand("ldd", programs);
  const loaded = [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(/gm)].map(([, path]) => path!);
  return [...programs, ...loaded].flatMap((path) => linksOf(path));
}

/** A file by its path without links in its folders; where it is a link itself, also what it leads to. */
function linksOf(path: string): string[] {
  const own = join(realpathSync(dirname(path)), basename(path));
  return lstatSync(own).isSymbolicLink()
    ? [own, ...linksOf(resolve(dirname(own), readlinkSync(own)))]
    : [own];
}
