import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { runCommand } from "../host/command.js";
import { STATE_DIR } from "../host/state.js";
import { LabError } from "../lab-error.js";
import type { Instance, Plan } from "../topology.js";

export const POSTGRES_USER = "postgres";
export const POSTGRES_DIR = `${STATE_DIR}/postgres`;
const DATA = `${POSTGRES_DIR}/data`;
/** The role and the database the order nodes use. */
export const SHOP = "shop";

/** Debian keeps each major version's programs in a folder of its own, off the PATH. */
export function postgresBin(): string | undefined {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).map(Number).filter(Number.isFinite) : [];
  const newest = versions
    .sort((a, b) => b - a)
    .find((version) => existsSync(`${root}/${version}/bin/initdb`));
  return newest === undefined ? undefined : `${root}/${newest}/bin`;
}

/**
 * Makes the data folder once, atomically: under another name first. PostgreSQL refuses root, so it runs
 * as its own user; it ends with this process, even if that is killed.
 */
export async function initPostgres(): Promise<void> {
  if (existsSync(`${DATA}/PG_VERSION`)) return;
  for (const entry of readdirSync(POSTGRES_DIR))
    if (entry.startsWith("data")) rmSync(`${POSTGRES_DIR}/${entry}`, { recursive: true, maxRetries: 5 });
  const part = `${DATA}.${process.pid}`;
  await runCommand(
    "setpriv",
    [
      ...[`--reuid=${POSTGRES_USER}`, `--regid=${POSTGRES_USER}`, "--clear-groups", "--no-new-privs"],
      ...["--pdeathsig=KILL", "--", `${requiredBin()}/initdb`, "-D", part, "-A", "peer", "-U", POSTGRES_USER],
      ...["-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1", "--no-instructions"],
    ],
    { timeoutMs: 60_000 },
  );
  renameSync(part, DATA);
}

/** Every order node may log in with the password; the firewall decides who may connect. */
export function postgresHba(plan: Plan): string {
  const networks = plan.bridges.map((bridge) => `host ${SHOP} ${SHOP} ${bridge.network} scram-sha-256`);
  return [`local all ${POSTGRES_USER} peer map=lab`, ...networks, ""].join("\n");
}

/** root on this machine may connect through the socket file as the owner. */
export function postgresIdent(): string {
  return [`lab root ${POSTGRES_USER}`, `lab ${POSTGRES_USER} ${POSTGRES_USER}`, ""].join("\n");
}

/** Settings for every environment. */
export const POSTGRES_SETTINGS = {
  shared_buffers: "16MB",
  max_connections: "40",
  max_wal_size: "32MB",
  min_wal_size: "2MB",
  // the data must outlive the server's death, not the machine's
  fsync: "off",
  autovacuum_max_workers: "1",
  max_logical_replication_workers: "0",
  log_min_messages: "warning",
};

export function postgresCommand(instance: Instance): string[] {
  const settings = {
    listen_addresses: instance.address,
    port: String(instance.ports[0]),
    unix_socket_directories: POSTGRES_DIR,
    unix_socket_permissions: "0700",
    hba_file: `${POSTGRES_DIR}/hba.conf`,
    ident_file: `${POSTGRES_DIR}/ident.conf`,
    ...POSTGRES_SETTINGS,
  };
  return [
    `${requiredBin()}/postgres`,
    "-D",
    DATA,
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
}

function requiredBin(): string {
  const bin = postgresBin();
  if (!bin) throw new LabError("postgresql is not installed: apt-get install postgresql");
  return bin;
}

/** For psql, on an empty server, as its owner: what `up` does over a connection. */
export function databaseScript(password: string): string {
  // the password is hexadecimal digits only
  return `create role ${SHOP} login password '${password}';
create database ${SHOP} owner ${SHOP};
\\connect ${SHOP}
${SCHEMA}
${GRANT}
`;
}

/** Rights of the order nodes on the tables, which belong to the owner. */
export const GRANT = `grant select, insert, update on all tables in schema public to ${SHOP};`;

/** Idempotent: run at every `up`. One row in `commits` for each operation that ever took effect. */
export const SCHEMA = `
create table if not exists commits (
  op_id uuid not null,
  kind text not null,
  digest text not null,
  certificate jsonb not null,
  applied_by text not null,
  applied_at timestamptz not null default now(),
  primary key (op_id, kind)
);
create table if not exists orders (
  id uuid primary key,
  customer text not null,
  total_cents integer not null check (total_cents > 0),
  payment_status text not null default 'pending' check (payment_status in ('pending', 'paid', 'refused')),
  payment_reason text,
  created_at timestamptz not null default now()
);
create table if not exists order_items (
  order_id uuid not null references orders (id),
  product_id integer not null,
  quantity integer not null check (quantity > 0),
  price_cents integer not null,
  primary key (order_id, product_id)
);
create index if not exists orders_by_time on orders (created_at desc);
`;
