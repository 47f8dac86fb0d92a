/** An `Opener` in another process: each call is one request message and one answer. */
import { constants } from "node:os";
import { deserialize } from "node:v8";
import { libc, SystemError } from "../kernel/libc.js";
import { receiveMessage, sendMessage, setPatience } from "../kernel/messages.js";
import type { NetlinkFamily, NetlinkOptions } from "../kernel/netlink.js";
import { NetnsError, type NetnsTarget } from "../kernel/netns.js";
import type { HostNetwork } from "../live/interfaces.js";
import type { Opener, SocketType } from "./opener.js";

/** A request, in JSON; only descriptors go with it. */
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

/** An answer in V8's serialization: in parts, each after a byte that says whether another follows. */
export type Answer =
  | { readonly value: unknown }
  | { readonly syscall: string; readonly errno: number }
  | { readonly netns: string; readonly message: string }
  | { readonly error: string };

/** Most bytes of a part; a request is one part. */
export const PART_BYTES = 60_000;
export const enum Part {
  last = 0,
  more = 1,
}

/** Long enough to start a program on a very busy machine. */
const PATIENCE_SECONDS = 10;

/** The opener's process has ended or hangs: its services are lost. */
export class OpenerGone extends SystemError {
  constructor() {
    super("opener", constants.errno.EPIPE);
    this.message = "the process that keeps the capabilities has ended";
  }
}

/** Uses one end of a socket pair; owns and closes it. */
export class RemoteOpener implements Opener {
  readonly #fd: number;
  readonly #pid: number | null;
  readonly #room = new Uint8Array(1 + PART_BYTES);
  #isGone = false;

  /** `pid`: of the process at the other end, if it is a child of this one. */
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
    // Longer than any possible name of a namespace.
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

  /** A late answer would be read as the answer to the next request, so after any failure no request is sent. */
  #lose(error: unknown): unknown {
    if (!(error instanceof SystemError)) return error;
    this.#isGone = true;
    libc().close(this.#fd);
    // An opener that does not answer may still run; any other has ended, or is about to.
    if (this.#pid !== null && error.code !== "EAGAIN") libc().waitpid(this.#pid);
    return new OpenerGone();
  }
}

/** The value of an answer; an error in it is thrown again here. */
function take(parts: readonly Uint8Array[]): { value: unknown } {
  const answer = deserialize(Buffer.concat(parts)) as Answer;
  if ("value" in answer) return answer;
  if ("errno" in answer) throw new SystemError(answer.syscall, answer.errno);
  if ("netns" in answer) throw new NetnsError(answer.netns, answer.message);
  throw new Error(answer.error);
}
