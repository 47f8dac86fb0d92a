/** The protocols that begin in clear and may turn to TLS: how they begin, what a client asks, what a server agrees with. Plain data. */

/** In `begins`: any byte. */
export const ANY = "\uffff";

/** What ends a message: a byte, or the length in front of it (BER, X.690 8.1.3). */
export type Ending = "\n" | ">" | "ber";

/** Texts are Latin-1, a letter a byte. `asks` and `agrees` see the first bytes of one message (MAX_SEEN) and take linear time. */
export interface StartTls {
  readonly protocol: string;
  /** The first bytes of a connection, of that side. */
  readonly begunBy: "client" | "server";
  readonly begins: readonly string[];
  readonly ends: Ending;
  /** A message of the client. */
  readonly asks: RegExp;
  /** A message of the server, some time after it. What it refuses stays clear, and no hello follows. */
  readonly agrees: RegExp;
}

/** A message with a number of one byte: its length in one byte or in more, then what it is: bind, search, extended request (RFC 4511 4). */
const LDAP = ["", "\x81", `\x82${ANY}`, `\x83${ANY}${ANY}`, `\x84${ANY}${ANY}${ANY}`].flatMap((length) =>
  ["\x60", "\x63", "\x77"].map((what) => `0${length}${ANY}\x02\x01${ANY}${what}`),
);

export const START_TLS: readonly StartTls[] = [
  // RFC 3207; LMTP alike (RFC 2033).
  {
    protocol: "smtp",
    begunBy: "server",
    begins: ["220 ", "220-"],
    ends: "\n",
    asks: /^STARTTLS\s*$/i,
    agrees: /^220\s/,
  },
  // RFC 4217 4
  {
    protocol: "ftp",
    begunBy: "server",
    begins: ["220 ", "220-"],
    ends: "\n",
    asks: /^AUTH (?:TLS|SSL)(?:-[CP])?\s*$/i,
    agrees: /^[23]34\s/,
  },
  // RFC 2595 4
  {
    protocol: "pop3",
    begunBy: "server",
    begins: ["+OK "],
    ends: "\n",
    asks: /^STLS\s*$/i,
    agrees: /^\+OK\b/i,
  },
  // RFC 9051 6.2.1
  {
    protocol: "imap",
    begunBy: "server",
    begins: ["* OK ", "* PREAUTH "],
    ends: "\n",
    asks: /^\S+ STARTTLS\s*$/i,
    agrees: /^[^\s*+]+ OK\b/i,
  },
  // RFC 4642 2.2
  {
    protocol: "nntp",
    begunBy: "server",
    begins: ["200 ", "201 "],
    ends: "\n",
    asks: /^STARTTLS\s*$/i,
    agrees: /^382\s/,
  },
  // RFC 6120 5.4
  {
    protocol: "xmpp",
    begunBy: "client",
    begins: ["<?xml ", "<stream:stream"],
    ends: ">",
    asks: /<starttls[\s/>]/,
    agrees: /<proceed[\s/>]/,
  },
  // RFC 4511 4.14
  {
    protocol: "ldap",
    begunBy: "client",
    begins: LDAP,
    ends: "ber",
    asks: /^0.{1,5}?\x02[\x01-\x04].{1,4}?\x77.{1,5}?\x80\x161\.3\.6\.1\.4\.1\.1466\.20037/s,
    agrees: /^0.{1,5}?\x02[\x01-\x04].{1,4}?\x78.{1,5}?\x0a\x01\x00/s,
  },
];
