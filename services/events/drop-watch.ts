import type { DropReason } from "../host/rules.js";
import { counted } from "../plural.js";
import type { LabEvent, Severity } from "./event.js";
import { Growth } from "./growth.js";
import type { Note, Notes } from "./nft-list.js";
import type { Places } from "./places.js";

/** Reported one by one at each look; a scan makes more. */
const MAX_TOLD = 20;

interface Account {
  /** Dropped packets, and how many of them were reported with or without a sender. */
  counted: number;
  told: number;
  /** Not reported at the previous look. */
  open: number;
}

/** Turns the drop counters of the lab's rules into events. Reads no clock. */
export class DropWatch {
  readonly #notes = new Growth();
  readonly #counters = new Growth();
  readonly #accounts = new Map<DropReason, Account>();

  constructor(private readonly places: Places) {}

  look({ notes, dropped }: Notes): LabEvent[] {
    const grown = this.#notes.look(new Map(notes.map((note) => [keyOf(note), note.packets])));
    const events = notes
      .flatMap((note) => {
        const packets = grown.get(keyOf(note)) ?? 0;
        return packets > 0 ? [{ note, packets }] : [];
      })
      .sort((a, b) => b.packets - a.packets)
      .slice(0, MAX_TOLD)
      .map(({ note, packets }) => {
        this.#accountOf(note.reason).told += packets;
        return this.#eventOf(note, packets);
      });
    for (const [reason, packets] of this.#counters.look(dropped))
      this.#accountOf(reason as DropReason).counted += packets;
    return [...events, ...this.#rest()];
  }

  /**
   * Drops without a note. Notes and counters are not read at one instant: an open drop may belong to
   * the next look's notes, so only drops that stay open from one look to the next are reported.
   */
  #rest(): LabEvent[] {
    const events: LabEvent[] = [];
    for (const [reason, account] of this.#accounts) {
      const open = account.counted - account.told;
      const count = Math.min(open, account.open);
      if (count > 0) {
        account.told += count;
        const text = `${counted(count, "more packet")} dropped (${reason}), senders not told apart`;
        events.push({
          event: "policy-drop",
          severity: severityOf(reason),
          text,
          fields: { policy: reason },
          count,
        });
      }
      account.open = account.counted - account.told;
    }
    return events;
  }

  #accountOf(reason: DropReason): Account {
    const account = this.#accounts.get(reason) ?? { counted: 0, told: 0, open: 0 };
    this.#accounts.set(reason, account);
    return account;
  }

  #eventOf(note: Note, count: number): LabEvent {
    const source = this.places.senderBehind(note.link, note.source);
    const destination = this.places.nameOf(note.destination);
    return {
      event: "policy-drop",
      severity: severityOf(note.reason),
      text: sentence(note, source, destination),
      fields: {
        policy: note.reason,
        source,
        source_address: note.source,
        destination,
        destination_address: note.destination,
        transport: note.transport,
        port: note.port,
      },
      count,
    };
  }
}

function severityOf(reason: DropReason): Severity {
  return reason === "source-identity" ? "warning" : "notice";
}

function sentence(
  { reason, source: address, transport, port }: Note,
  source: string,
  destination: string,
): string {
  const target = `${destination} at ${transport} port ${port}`;
  switch (reason) {
    case "source-identity":
      return `${source} speaks as ${address}, which is not its own, to ${target}`;
    case "gateway-rate":
      return `${source} opens connections to ${target} faster than it may`;
    case "egress":
      return `${source} may not leave for ${target}`;
    case "containment":
      return `${source} to ${target}: nothing leaves the lab and nothing enters it`;
    case "loopback-guard":
      return `${source} may not reach the host's loopback at ${transport} port ${port}`;
    default:
      return `${source} may not reach ${target}`;
  }
}

function keyOf({ family, reason, link, source, destination, transport, port }: Note): string {
  return [family, reason, link, source, destination, transport, port].join(" ");
}
