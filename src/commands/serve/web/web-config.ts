/** The exporters' common `web.config.file`: TLS, client certificates, users. Its format is that of Prometheus' exporter-toolkit. */
import { dirname, isAbsolute, join } from "node:path";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { parse } from "yaml";
import { z } from "zod";
import { CommandError, ExitCode, reasonOf } from "../../../exit.js";
import { readSmallFile } from "./small-file.js";

const CLIENT_AUTH = [
  "NoClientCert",
  "RequestClientCert",
  "RequireAnyClientCert",
  "VerifyClientCertIfGiven",
  "RequireAndVerifyClientCert",
] as const;
export type ClientAuth = (typeof CLIENT_AUTH)[number];

/** Names of Go, which the format has, and of OpenSSL. */
const VERSIONS = { TLS10: "TLSv1", TLS11: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3" } as const;
const CURVES = { CurveP256: "P-256", CurveP384: "P-384", CurveP521: "P-521", X25519: "X25519" } as const;
const CIPHERS = {
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: "ECDHE-RSA-AES128-GCM-SHA256",
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: "ECDHE-RSA-AES256-GCM-SHA384",
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: "ECDHE-ECDSA-AES128-GCM-SHA256",
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: "ECDHE-ECDSA-AES256-GCM-SHA384",
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-RSA-CHACHA20-POLY1305",
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: "ECDHE-ECDSA-CHACHA20-POLY1305",
  TLS_AES_128_GCM_SHA256: "TLS_AES_128_GCM_SHA256",
  TLS_AES_256_GCM_SHA384: "TLS_AES_256_GCM_SHA384",
  TLS_CHACHA20_POLY1305_SHA256: "TLS_CHACHA20_POLY1305_SHA256",
} as const;

const keysOf = <T extends object>(of: T) => Object.keys(of) as [keyof T & string, ...(keyof T & string)[]];
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** bcrypt's own least; beyond the most one login would take longer than a client waits for its answer. */
const [MIN_COST, MAX_COST] = [4, 16];

const tlsSchema = z.strictObject({
  cert_file: z.string(),
  key_file: z.string(),
  client_auth_type: z.enum(CLIENT_AUTH).optional(),
  client_ca_file: z.string().optional(),
  client_allowed_sans: z.array(z.string()).optional(),
  min_version: z.enum(keysOf(VERSIONS)).optional(),
  max_version: z.enum(keysOf(VERSIONS)).optional(),
  cipher_suites: z.array(z.enum(keysOf(CIPHERS))).optional(),
  prefer_server_cipher_suites: z.boolean().optional(),
  curve_preferences: z.array(z.enum(keysOf(CURVES))).optional(),
});

const hashSchema = z
  .string()
  .regex(BCRYPT, "is not a bcrypt hash")
  .refine((hash) => {
    const cost = Number(BCRYPT.exec(hash)?.[1]);
    return cost >= MIN_COST && cost <= MAX_COST;
  }, `its cost must be ${MIN_COST} to ${MAX_COST}`);

const schema = z.strictObject({
  tls_server_config: tlsSchema.optional(),
  http_server_config: z
    .strictObject({
      /** Accepted and without effect: HTTP/1.1 is spoken. */
      http2: z.boolean().optional(),
      headers: z
        .record(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/), z.string().regex(/^[\x20-\x7e]{0,1024}$/))
        .optional(),
    })
    .optional(),
  basic_auth_users: z.record(z.string().min(1), hashSchema).optional(),
});

export interface TlsConfig {
  readonly context: SecureContextOptions;
  readonly clientAuth: ClientAuth;
  /** null: any that is signed. */
  readonly allowedNames: ReadonlySet<string> | null;
}

export interface WebConfig {
  /** null: plain HTTP. */
  readonly tls: TlsConfig | null;
  /** Hashes by user; null: open to every client. */
  readonly users: ReadonlyMap<string, string> | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Files it was made of: when one of them changes, it is read again. */
  readonly files: readonly string[];
}

export const OPEN_CONFIG: WebConfig = { tls: null, users: null, headers: {}, files: [] };

/** Reads the file and the certificates it names. Throws CommandError. */
export function readWebConfig(path: string): WebConfig {
  const parsed = schema.safeParse(parseYaml(path));
  if (!parsed.success) {
    const { path: keys, message } = parsed.error.issues[0]!;
    throw wrong(path, `${keys.join(".") || "document"}: ${message}`);
  }
  const { tls_server_config: tls, http_server_config: http, basic_auth_users: users } = parsed.data;
  const files = [path];
  return {
    tls: tls ? readTls(path, tls, files) : null,
    users: users ? new Map(Object.entries(users)) : null,
    headers: http?.headers ?? {},
    files,
  };
}

function parseYaml(path: string): unknown {
  const text = readText(path, path);
  try {
    return parse(text, { maxAliasCount: 0 }) ?? {};
  } catch (error) {
    throw wrong(path, (error as Error).message.split("\n")[0]!);
  }
}

function readTls(path: string, tls: z.infer<typeof tlsSchema>, files: string[]): TlsConfig {
  const read = (name: string) => {
    const file = isAbsolute(name) ? name : join(dirname(path), name);
    files.push(file);
    return readText(path, file);
  };
  const clientAuth = tls.client_auth_type ?? "NoClientCert";
  if (tls.client_ca_file === undefined && clientAuth.includes("Verify"))
    throw wrong(path, `client_auth_type ${clientAuth} needs client_ca_file`);
  const context: SecureContextOptions = {
    cert: read(tls.cert_file),
    key: read(tls.key_file),
    minVersion: VERSIONS[tls.min_version ?? "TLS12"],
    ...(tls.max_version ? { maxVersion: VERSIONS[tls.max_version] } : {}),
    ...(tls.client_ca_file === undefined ? {} : { ca: read(tls.client_ca_file) }),
    ...(tls.cipher_suites ? { ciphers: tls.cipher_suites.map((name) => CIPHERS[name]).join(":") } : {}),
    ...(tls.curve_preferences
      ? { ecdhCurve: tls.curve_preferences.map((name) => CURVES[name]).join(":") }
      : {}),
    honorCipherOrder: tls.prefer_server_cipher_suites ?? true,
  };
  try {
    createSecureContext(context);
  } catch (error) {
    throw wrong(path, `certificate or key: ${(error as Error).message}`);
  }
  const names = tls.client_allowed_sans;
  return { context, clientAuth, allowedNames: names ? new Set(names) : null };
}

function readText(config: string, file: string): string {
  try {
    return readSmallFile(file);
  } catch (error) {
    throw wrong(config, `${file === config ? "" : `${file}: `}${reasonOf(error)}`);
  }
}

function wrong(path: string, what: string): CommandError {
  return new CommandError(ExitCode.unreadable, `web config ${path}: ${what}`);
}
