/** The other side of `RemoteOpener`: answers untrusted requests, and does only what is listed here. */
import { closeSync, readlinkSync } from "node:fs";
import { serialize } from "node:v8";
import { isConntrackRequest } from "../conntrack/conntrack.js";
import { ACCOUNTING_PATH } from "../conntrack/conntrack-files.js";
import { SystemError } from "../kernel/libc.js";
import { type Message, optionOf } from "../kernel/messages.js";
import { NetlinkFamily } from "../kernel/netlink.js";
import { NetnsError, type NetnsTarget } from "../kernel/netns.js";
import type { HostNetwork } from "../live/interfaces.js";
import { type Opener, SocketType } from "./opener.js";
import { type Answer, PART_BYTES, Part, type Question } from "./remote-opener.js";

const MAX_PATH = 4096;
const AF_NETLINK = 16;
const SO_PROTOCOL = 38;
const SO_DOMAIN = 39;

/** The answer. Close its descriptors after sending. */
export interface Reply {
  readonly parts: readonly Uint8Array[];
  readonly descriptors: readonly number[];
}

interface Done {
  readonly value?: unknown;
  readonly descriptors?: readonly number[];
}

/** An invalid request, or one that is not allowed now. */
class Refusal extends Error {}

export class OpenerServer {
  readonly #opener: Opener;
  /** The last result, to find namespaces again that are no longer listed. */
  network: HostNetwork | null;
  /** Set by `seal`: nothing is opened any more; true: polls continue. null: not sealed. */
  sealed: { readonly polls: boolean } | null = null;

  constructor(opener: Opener, network: HostNetwork | null = null) {
    this.#opener = opener;
    this.network = network;
  }

  /** Answers one request and closes the descriptors that came with it. null: no answer, the request was to seal. Never throws. */
  answer({ bytes, descriptors }: Message): Reply | null {
    try {
      const question = parse(bytes);
      if (question.op === "seal" && this.sealed === null) {
        this.sealed = { polls: question.polls === true };
        return null;
      }
      const { value = null, descriptors: opened = [] } = this.#do(question, descriptors);
      return { parts: divide({ value }), descriptors: opened };
    } catch (error) {
      return { parts: divide(explain(error)), descriptors: [] };
    } finally {
      for (const fd of descriptors) closeSync(fd);
    }
  }

  #do(question: Question, given: readonly number[]): Done {
    switch (question.op) {
      case "askConntrack":
        return this.#askConntrack(question.request, given);
      case "setAccounting":
        return this.#setAccounting(question.on, given);
      case "network":
        this.network = this.#opener.network(this.network);
        return { value: this.network };
    }
    if (this.sealed !== null) throw new Refusal("nothing is opened any more");
    switch (question.op) {
      case "packetSocket":
        return { descriptors: [this.#opener.packetSocket(netnsOf(question), typeOf(question.type))] };
      case "netlinkSocket": {
        const { family, strict } = question;
        return {
          descriptors: [
            this.#opener.netlinkSocket(netnsOf(question), familyOf(family), { strict: strict === true }),
          ],
        };
      }
      case "conntrackFiles": {
        const files = this.#opener.conntrackFiles(netnsOf(question), question.writable === true);
        return {
          value: files.map((fd) => fd !== null),
          descriptors: files.filter((fd) => fd !== null),
        };
      }
      default:
        throw new Refusal("not a question");
    }
  }

  #askConntrack(request: unknown, [fd]: readonly number[]): Done {
    const bytes = Array.isArray(request) ? Uint8Array.from(request as number[]) : new Uint8Array();
    if (!isConntrackRequest(bytes)) throw new Refusal("not a request for connections");
    if (fd === undefined || optionOf(fd, SO_DOMAIN) !== AF_NETLINK) throw new Refusal("not a netlink socket");
    if (optionOf(fd, SO_PROTOCOL) !== NetlinkFamily.netfilter) throw new Refusal("not a socket of netfilter");
    this.#opener.askConntrack(fd, bytes);
    return {};
  }

  #setAccounting(on: unknown, [fd]: readonly number[]): Done {
    if (fd === undefined || readlinkSync(`/proc/self/fd/${fd}`) !== ACCOUNTING_PATH)
      throw new Refusal("not the switch of accounting");
    this.#opener.setAccounting(fd, on === true);
    return {};
  }
}

function parse(bytes: Uint8Array): Question {
  const value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString()) as unknown;
  if (typeof value !== "object" || value === null) throw new Refusal("not a question");
  return value as Question;
}

function netnsOf({ netns }: { readonly netns: unknown }): NetnsTarget | null {
  if (netns === null) return null;
  if (typeof netns === "number" && Number.isSafeInteger(netns) && netns > 0) return netns;
  if (typeof netns === "string" && netns.length <= MAX_PATH && !netns.includes("\0")) return netns;
  throw new Refusal("not a namespace");
}

function typeOf(type: unknown): SocketType {
  if (type === SocketType.raw || type === SocketType.datagram) return type;
  throw new Refusal("not a kind of packet socket");
}

function familyOf(family: unknown): NetlinkFamily {
  const families = [NetlinkFamily.route, NetlinkFamily.sockDiag, NetlinkFamily.netfilter];
  const found = families.find((one) => one === family);
  if (found === undefined) throw new Refusal("not a family of netlink");
  return found;
}

function explain(error: unknown): Answer {
  if (error instanceof SystemError) return { syscall: error.syscall, errno: error.errno };
  if (error instanceof NetnsError) return { netns: error.code, message: error.message };
  return { error: (error as Error).message.slice(0, 200) };
}

function divide(answer: Answer): Uint8Array[] {
  const bytes = serialize(answer);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    const piece = bytes.subarray(at, at + PART_BYTES);
    const part = new Uint8Array(1 + piece.length);
    part[0] = at + PART_BYTES < bytes.length ? Part.more : Part.last;
    part.set(piece, 1);
    parts.push(part);
  }
  return parts;
}
