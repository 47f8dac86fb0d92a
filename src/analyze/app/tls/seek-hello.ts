/** Where TLS begins in what a client sends, once it was agreed on in clear. */
import { Looks, Read } from "../application.js";
import { tls } from "./tls.js";

/** As Dialogue.read returns it: Read.turns where a ClientHello begins at `at`; else the clear bytes before the next, or Read.more. */
export function seekHello(view: DataView, at: number, end: number): number {
  for (let i = at; i < end; i++) {
    const looks = tls.transports.tcp!.looks(view, i, end, true);
    if (looks === Looks.request) return i === at ? Read.turns : i - at;
    if (looks === Looks.short) return i === at ? Read.more : i - at;
  }
  return end - at;
}
