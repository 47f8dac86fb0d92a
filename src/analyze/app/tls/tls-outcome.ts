/** Encodes the result of a TLS handshake as a number that an Operation can count, and decodes it. */

/** Versions as they are on the wire. */
export const enum TlsVersion {
  tls13 = 0x0304,
}

/** Protocols told apart, by number (IANA's ALPN protocol identifiers); 0: none, or not to be seen. */
const PROTOCOLS = [
  "",
  "(other)",
  "h2",
  "http/1.1",
  "http/1.0",
  "h3",
  "h2c",
  "spdy/3.1",
  "postgresql",
  "mqtt",
  "imap",
  "pop3",
  "smb",
  "ftp",
  "dot",
  "ntske/1",
  "acme-tls/1",
  "xmpp-client",
  "xmpp-server",
  "stun.turn",
  "webrtc",
  "sip/2",
  "irc",
  "nntp",
  "managesieve",
  "coap",
  "radius/1.1",
  "grpc-exp",
] as const;
const OTHER = 1;
/** Set where the handshake failed; the alert's description stands in the lowest byte. */
const FAILED = 1 << 24;

const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0x0002, "SSL 2.0"],
  [0x0300, "SSL 3.0"],
  [0x0301, "TLS 1.0"],
  [0x0302, "TLS 1.1"],
  [0x0303, "TLS 1.2"],
  [TlsVersion.tls13, "TLS 1.3"],
]);

/** The result of a handshake. */
export interface TlsOutcome {
  /** null: none was agreed on. */
  readonly version: string | null;
  /** ALPN: as chosen; with TLS 1.3, whose choice is encrypted, as offered where the client offered one alone. null: not known. */
  readonly alpn: string | null;
  /** The name of the alert that ended it (RFC 8446 6), or null. */
  readonly alert: string | null;
}

/** RFC 8446 6, and those of older versions (RFC 5246 7.2). */
const ALERTS: ReadonlyMap<number, string> = new Map([
  [0, "close_notify"],
  [10, "unexpected_message"],
  [20, "bad_record_mac"],
  [21, "decryption_failed"],
  [22, "record_overflow"],
  [30, "decompression_failure"],
  [40, "handshake_failure"],
  [41, "no_certificate"],
  [42, "bad_certificate"],
  [43, "unsupported_certificate"],
  [44, "certificate_revoked"],
  [45, "certificate_expired"],
  [46, "certificate_unknown"],
  [47, "illegal_parameter"],
  [48, "unknown_ca"],
  [49, "access_denied"],
  [50, "decode_error"],
  [51, "decrypt_error"],
  [70, "protocol_version"],
  [71, "insufficient_security"],
  [80, "internal_error"],
  [86, "inappropriate_fallback"],
  [90, "user_canceled"],
  [100, "no_renegotiation"],
  [109, "missing_extension"],
  [110, "unsupported_extension"],
  [112, "unrecognized_name"],
  [113, "bad_certificate_status_response"],
  [115, "unknown_psk_identity"],
  [116, "certificate_required"],
  [120, "no_application_protocol"],
]);

/** The number of the protocol in bytes [at, end). */
export function protocolOf(view: DataView, at: number, end: number): number {
  for (let i = OTHER + 1; i < PROTOCOLS.length; i++) {
    const name = PROTOCOLS[i]!;
    if (name.length !== end - at) continue;
    let same = 0;
    while (same < name.length && view.getUint8(at + same) === name.charCodeAt(same)) same++;
    if (same === name.length) return i;
  }
  return OTHER;
}

/** The outcome of a handshake that was agreed on. */
export function encodeAgreed(version: number, protocol: number): number {
  return (version << 8) | protocol;
}

/** The outcome of one that an alert ended. */
export function encodeAlert(description: number): number {
  return FAILED | description;
}

/** What the outcome of an operation of `tls` means. */
export function tlsOutcome(outcome: number): TlsOutcome {
  if ((outcome & FAILED) !== 0) return { version: null, alpn: null, alert: alertName(outcome & 0xff) };
  const version = (outcome >>> 8) & 0xffff;
  const alpn = PROTOCOLS[outcome & 0xff];
  return { version: VERSIONS.get(version) ?? draft(version), alpn: alpn || null, alert: null };
}

function alertName(description: number): string {
  return ALERTS.get(description) ?? `alert ${description}`;
}

/** Drafts of TLS 1.3 were numbered 0x7f and the draft. */
function draft(version: number): string {
  return version >>> 8 === 0x7f ? `TLS 1.3 draft ${version & 0xff}` : `0x${version.toString(16)}`;
}
