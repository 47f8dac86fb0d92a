/** Has a process beside this one open things: the calls of `Opener` as messages, one question and one answer. */
import { constants } from "node:os";
import { deserialize } from "node:v8";
import { libc, SystemError } from "../kernel/libc.js";
import { receiveMessage, sendMessage, setPatience } from "../kernel/messages.js";
import type { NetlinkFamily, NetlinkOptions } from "../kernel/netlink.js";
import { NetnsError, type NetnsTarget } from "../kernel/netns.js";
import type { HostNetwork } from "../live/interfaces.js";
import type { Opener, SocketType } from "./opener.js";

/** What is asked, in JSON; descriptors and nothing else go beside it. */
export type Question =
  | { readonly op: "packetSocket"; readonly netns: NetnsTarget | null; readonly type: SocketType }
  | {
      readonly op: "netlinkSocket";
      readonly netns: NetnsTarget | null;
      readonly family: NetlinkFamily;
      readonly strict: boolean;
    }
  /** With the socket. The request's bytes. */
  | { readonly op: "askConntrack"; readonly request: readonly number[] }
  | { readonly op: "conntrackFiles"; readonly netns: NetnsTarget | null; readonly writable: boolean }
  /** With the file. */
  | { readonly op: "setAccounting"; readonly on: boolean }
  | { readonly op: "network" }
  /** Has no answer. */
  | { readonly op: "seal"; readonly polls: boolean };

/** What is answered, as V8 writes values: in parts, each behind a byte that says whether another follows. */
export type Answer =
  | { readonly value: unknown }
  | { readonly syscall: string; readonly errno: number }
  | { readonly netns: string; readonly message: string }
  | { readonly error: string };

/** Bytes of a part at most; a question is one part. */
export const PART_BYTES = 60_000;
export const enum Part {
  last = 0,
  more = 1,
}

/** Covers the start of a program on a machine that is very busy. */
const PATIENCE_SECONDS = 10;

/** The process that opens things has ended, or hangs: what it did cannot be had any more. */
export class OpenerGone extends SystemError {
  constructor() {
    super("opener", constants.errno.EPIPE);
    this.message = "the process that keeps the capabilities has ended";
  }
}

/** Over one end of a pair, which it closes. */
export class RemoteOpener implements Opener {
  readonly #fd: number;
  readonly #pid: number | null;
  readonly #room = new Uint8Array(1 + PART_BYTES);
  #isGone = false;

  /** `pid`: of the process at the other end, where it is a child of this one. */
  constructor(fd: number, pid: number | null) {
    this.#fd = fd;
    this.#pid = pid;
    setPatience(fd, PATIENCE_SECONDS);
  }

  packetSocket(netns: NetnsTarget | null, type: SocketType): number {
    return this.#ask({ op: "packetSocket", netns, type }).descriptors[0]!;
  }

  netlinkSocket(
    netns: NetnsTarget | null,
    family: NetlinkFamily,
    { strict = false }: Pick<NetlinkOptions, "strict"> = {},
  ): number {
    return this.#ask({ op: "netlinkSocket", netns, family, strict }).descriptors[0]!;
  }

  askConntrack(fd: number, request: Uint8Array): void {
    this.#ask({ op: "askConntrack", request: [...request] }, [fd]);
  }

  conntrackFiles(netns: NetnsTarget | null, writable: boolean): (number | null)[] {
    const { value, descriptors } = this.#ask({ op: "conntrackFiles", netns, writable });
    const opened = descriptors.values();
    return (value as boolean[]).map((isThere) => (isThere ? opened.next().value! : null));
  }

  setAccounting(fd: number, on: boolean): void {
    this.#ask({ op: "setAccounting", on }, [fd]);
  }

  network(): HostNetwork {
    return this.#ask({ op: "network" }).value as HostNetwork;
  }

  seal(polls: boolean): readonly [] {
    if (this.#isGone) return [];
    try {
      this.#send({ op: "seal", polls });
      // It ends, and with it the pair.
      if (!polls) this.#receive();
    } catch (error) {
      if (!(error instanceof OpenerGone)) throw error;
    }
    return [];
  }

  #ask(question: Question, descriptors: readonly number[] = []) {
    if (this.#isGone) throw new OpenerGone();
    this.#send(question, descriptors);
    const parts: Uint8Array[] = [];
    for (;;) {
      const message = this.#receive();
      parts.push(message.bytes.slice(1));
      if (message.bytes[0] === Part.last) return { ...take(parts), descriptors: message.descriptors };
    }
  }

  #send(question: Question, descriptors: readonly number[] = []): void {
    const bytes = Buffer.from(JSON.stringify(question));
    // Longer than any name of a namespace that there can be.
    if (bytes.length > PART_BYTES)
      throw new NetnsError("ENAMETOOLONG", "the name of the namespace is too long");
    try {
      sendMessage(this.#fd, bytes, descriptors);
    } catch (error) {
      throw this.#lose(error);
    }
  }

  #receive() {
    let message: ReturnType<typeof receiveMessage>;
    try {
      message = receiveMessage(this.#fd, this.#room);
    } catch (error) {
      throw this.#lose(error);
    }
    if (message.bytes.length === 0) throw this.#lose(new SystemError("recvmsg", constants.errno.EPIPE));
    return message;
  }

  /** A late answer would be taken for that to the next question: after any failure nothing more is asked. */
  #lose(error: unknown): unknown {
    if (!(error instanceof SystemError)) return error;
    this.#isGone = true;
    libc().close(this.#fd);
    // One that does not answer may go on; any other is about to end, or has ended.
    if (this.#pid !== null && error.code !== "EAGAIN") libc().waitpid(this.#pid);
    return new OpenerGone();
  }
}

/** The value of an answer, or its error, thrown as it was there. */
function take(parts: readonly Uint8Array[]): { value: unknown } {
  const answer = deserialize(Buffer.concat(parts)) as Answer;
  if ("value" in answer) return answer;
  if ("errno" in answer) throw new SystemError(answer.syscall, answer.errno);
  if ("netns" in answer) throw new NetnsError(answer.netns, answer.message);
  throw new Error(answer.error);
}
