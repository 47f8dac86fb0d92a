/** The C library, through koffi: the one door to system calls that Node does not have. The only file that imports koffi. */
import { createRequire } from "node:module";
import { constants } from "node:os";

/** A system call that failed, in the shape of Node's own errors. */
export class SystemError extends Error {
  readonly errno: number;
  /** `EPERM` and the like. */
  readonly code: string;
  readonly syscall: string;

  constructor(syscall: string, errno: number) {
    const code = ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
    super(`${syscall}: ${code}`);
    this.errno = errno;
    this.code = code;
    this.syscall = syscall;
  }
}

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** Flags of open(2), socket(2) and recv(2) on Linux that Node's constants lack. */
export const enum Flag {
  closeOnExec = 0x80000, // O_CLOEXEC, SOCK_CLOEXEC
  dontWait = 0x40, // MSG_DONTWAIT
  truncate = 0x20, // MSG_TRUNC: the result is the true length
  newNetwork = 0x40000000, // CLONE_NEWNET
}

/** Every call throws SystemError where it fails, save `recv`, which is on hot paths. */
export interface Libc {
  open(path: string, flags: number): number;
  close(fd: number): void;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): void;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): void;
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /** Bytes received, or the error number, negative. Fills `buffer` from its start. */
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  /** Moves the calling thread alone. */
  setns(fd: number, kind: number): void;
}

type Native = (...args: unknown[]) => number;

let loaded: Libc | null = null;

/** The C library, loaded when first asked for. Throws where koffi is not installed or has no build for this machine. */
export function libc(): Libc {
  loaded ??= loadLibc();
  return loaded;
}

function loadLibc(): Libc {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  const process = koffi.load(null);
  const find = (prototype: string) => process.func(prototype) as Native;
  const native = {
    open: find("int open(const char *path, int flags)"),
    close: find("int close(int fd)"),
    socket: find("int socket(int domain, int type, int protocol)"),
    bind: find("int bind(int fd, const uint8_t *address, uint32_t length)"),
    setsockopt: find("int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)"),
    send: find("int64_t send(int fd, const uint8_t *bytes, size_t length, int flags)"),
    recv: find("int64_t recv(int fd, uint8_t *buffer, size_t length, int flags)"),
    setns: find("int setns(int fd, int kind)"),
  };
  const check = (syscall: string, result: number): number => {
    if (result < 0) throw new SystemError(syscall, koffi.errno());
    return result;
  };
  return {
    open: (path, flags) => check("open", native.open(path, flags)),
    close: (fd) => void check("close", native.close(fd)),
    socket: (domain, type, protocol) => check("socket", native.socket(domain, type, protocol)),
    bind: (fd, address) => void check("bind", native.bind(fd, address, address.length)),
    setsockopt: (fd, level, name, value) =>
      void check("setsockopt", native.setsockopt(fd, level, name, value, value.length)),
    send: (fd, bytes, flags) => check("send", native.send(fd, bytes, bytes.length, flags)),
    recv(fd, buffer, flags) {
      const received = native.recv(fd, buffer, buffer.length, flags);
      return received < 0 ? -koffi.errno() : received;
    },
    setns: (fd, kind) => void check("setns", native.setns(fd, kind)),
  };
}
