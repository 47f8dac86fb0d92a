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

/** Of two names for one number the first: EAGAIN, not EWOULDBLOCK. */
const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** Flags of open(2), socket(2) and recv(2) on Linux that Node's constants lack. */
export const enum Flag {
  closeOnExec = 0x80000, // O_CLOEXEC, SOCK_CLOEXEC
  dontWait = 0x40, // MSG_DONTWAIT
  truncate = 0x20, // MSG_TRUNC: the result is the true length
  newNetwork = 0x40000000, // CLONE_NEWNET
}

/** Memory shared with the kernel. `bytes` must not be touched after `unmap`: that would end the process. */
export interface Mapping {
  /** The shared memory, then the private room that was asked for. */
  readonly bytes: ArrayBuffer;
  unmap(): void;
}

/** The events a descriptor is watched for: readable or failed, or failed only. */
export type Awaited = "readable" | "failure";

/** Waits for a descriptor in Node's own event loop, without a thread. Costs nothing while stopped. */
export interface Readiness {
  /** Calls `ready` at each event. */
  start(ready: () => void): void;
  stop(): void;
  close(): void;
}

/** Every call throws SystemError on failure, except `recv` and `sendmsg`, which return the error number. */
export interface Libc {
  open(path: string, flags: number): number;
  close(fd: number): void;
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array): void;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): void;
  send(fd: number, bytes: Uint8Array, flags: number): number;
  /** Bytes received, or the error number, negative. Fills `buffer` from its start. */
  recv(fd: number, buffer: Uint8Array, flags: number): number;
  /** The state of the kernel's clock: the STA_ bits of adjtimex(2), called read-only. */
  clockStatus(): number;
  /** Moves only the calling thread. */
  setns(fd: number, kind: number): void;
  /** Fills `value`. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): void;
  /** Fills `address`. */
  getsockname(fd: number, address: Uint8Array): void;
  /** Sets, or replaces in one step, a socket's filter: an array of `struct sock_filter`. */
  attachFilter(fd: number, instructions: Uint8Array): void;
  /** Fills `value`, which also holds the request (netdevice(7)). */
  ioctl(fd: number, request: number, value: Uint8Array): void;
  /** Number of a network interface in the calling thread's namespace; 0: no such interface. */
  ifNameToIndex(name: string): number;
  /** Maps a socket's ring, readable and writable, shared; behind it `room` private bytes. */
  mapShared(fd: number, length: number, room: number): Mapping;
  pollFd(fd: number, what?: Awaited): Readiness;
  /**
   * Replaces a descriptor by an epoll(7) descriptor that is readable if the original is readable or has failed, and never itself
   * fails. Returns the new number of the original; the caller closes it.
   */
  hideErrors(fd: number): number;
  /** Applies only to the calling thread, as capabilities do. */
  prctl(option: number, value: number, more?: number): number;
  capset(header: Uint8Array, data: Uint8Array): void;
  /** Fills `fds` with two connected sockets, closed on exec. */
  socketpair(domain: number, type: number, fds: Int32Array): void;
  /** `message` is a struct msghdr. Bytes sent, or the error number, negative. */
  sendmsg(fd: number, message: Uint8Array, flags: number): number;
  /** Like `sendmsg`; the kernel also writes to `message`. */
  recvmsg(fd: number, message: Uint8Array, flags: number): number;
  /**
   * Becomes another program: all other threads end, descriptors stay open unless marked close-on-exec. `words`: its arguments,
   * each ended by a NUL byte. Returns only by throwing.
   */
  execv(path: string, words: Uint8Array): never;
  /** Waits until a child has ended, and reaps it. */
  waitpid(pid: number): void;
  /** A file without a name, in memory; kept open on exec. */
  memfd(name: string): number;
  /** A system call without a library function. Throws SystemError with `name` in it. */
  syscall(name: string, number: number, ...words: readonly [Word, Word, Word, Word]): number;
}

/** An argument of a system call: a number or an address. */
type Word = number | bigint;

/** Address of the bytes, for structures that hold addresses. Valid as long as `bytes` is referenced. */
export function addressOf(bytes: Uint8Array): bigint {
  return loadKoffi().address(bytes);
}

/** Functions of a shared library, by their C prototypes. */
export type Library = (prototype: string) => (...args: unknown[]) => unknown;

/** Loads a library by its file name, such as `libpcap.so.0.8`. Throws if it is not installed. */
export function loadLibrary(file: string): Library {
  const library = loadKoffi().load(file);
  return (prototype) => library.func(prototype);
}

/** The bytes at an address from a library. A view, not a copy: valid as long as the library keeps them. */
export function viewNative(address: unknown, length: number): ArrayBuffer {
  return loadKoffi().view(address, length);
}

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;
// linux/mman.h
const MAP_SHARED = 1;
const MAP_PRIVATE = 2;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_READ_WRITE = 3; // PROT_READ | PROT_WRITE

// sys/epoll.h
const EPOLL_CTL_ADD = 1;
const EPOLLIN = 1;

type Native = (...args: unknown[]) => number;

let loaded: Libc | null = null;

/** The C library, loaded at the first call. Throws if koffi is not installed or has no build for this machine. */
export function libc(): Libc {
  loaded ??= loadLibc();
  return loaded;
}

function loadKoffi(): typeof import("koffi") {
  return createRequire(import.meta.url)("koffi") as typeof import("koffi");
}

function loadLibc(): Libc {
  const koffi = loadKoffi();
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
    adjtimex: find("int adjtimex(uint8_t *timex)"),
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
    clockStatus() {
      const timex = new Uint8Array(256); // struct timex: `modes` first, 0: read only; `status` behind four longs
      check("adjtimex", native.adjtimex(timex));
      return new DataView(timex.buffer).getInt32(40, true);
    },
    setns: (fd, kind) => void check("setns", native.setns(fd, kind)),
    ...bindCapture(koffi, find, check),
    ...bindProcess(koffi, find, check),
  };
}

type ProcessCalls = Pick<
  Libc,
  "prctl" | "capset" | "socketpair" | "sendmsg" | "recvmsg" | "execv" | "waitpid" | "memfd" | "syscall"
>;

/** Start offsets of the NUL-terminated words. */
export function startsOf(words: Uint8Array): number[] {
  return [0, ...[...words.keys()].filter((at) => words[at] === 0).map((at) => at + 1)].slice(0, -1);
}

/** Calls to give up rights, and to have another process open descriptors. */
function bindProcess(
  koffi: typeof import("koffi"),
  find: (prototype: string) => Native,
  check: (syscall: string, result: number) => number,
): ProcessCalls {
  const native = {
    prctl: find("int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)"),
    capset: find("int capset(uint8_t *header, const uint8_t *data)"),
    socketpair: find("int socketpair(int domain, int type, int protocol, _Out_ int32_t *fds)"),
    sendmsg: find("int64_t sendmsg(int fd, const uint8_t *message, int flags)"),
    recvmsg: find("int64_t recvmsg(int fd, _Inout_ uint8_t *message, int flags)"),
    execv: find("int execv(const char *path, const uint64_t *words)"),
    waitpid: find("int waitpid(int pid, void *status, int options)"),
    memfd: find("int memfd_create(const char *name, unsigned int flags)"),
    syscall: find("int64_t syscall(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d)"),
  };
  return {
    prctl: (option, value, more = 0) => check("prctl", native.prctl(option, value, more, 0, 0)),
    capset: (header, data) => void check("capset", native.capset(header, data)),
    socketpair: (domain, type, fds) =>
      void check("socketpair", native.socketpair(domain, type | Flag.closeOnExec, 0, fds)),
    sendmsg(fd, message, flags) {
      const sent = native.sendmsg(fd, message, flags);
      return sent < 0 ? -koffi.errno() : sent;
    },
    recvmsg(fd, message, flags) {
      const received = native.recvmsg(fd, message, flags);
      return received < 0 ? -koffi.errno() : received;
    },
    execv(path, words) {
      const first = koffi.address(words);
      const starts = startsOf(words).map((at) => first + BigInt(at));
      native.execv(path, BigUint64Array.from([...starts, 0n]));
      const errno = koffi.errno();
      words.fill(0); // held until here
      throw new SystemError("execve", errno);
    },
    waitpid: (pid) => void native.waitpid(pid, null, 0),
    memfd: (name) => check("memfd_create", native.memfd(name, 0)),
    syscall: (name, number, a, b, c, d) => check(name, native.syscall(number, a, b, c, d)),
  };
}

type CaptureCalls = Pick<
  Libc,
  | "attachFilter"
  | "getsockopt"
  | "getsockname"
  | "ioctl"
  | "ifNameToIndex"
  | "mapShared"
  | "pollFd"
  | "hideErrors"
>;

/** Calls of a capture besides sockets. */
function bindCapture(
  koffi: typeof import("koffi"),
  find: (prototype: string) => Native,
  check: (syscall: string, result: number) => number,
): CaptureCalls {
  const native = {
    setsockopt: find("int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)"),
    getsockopt: find(
      "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
    ),
    getsockname: find("int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)"),
    ioctl: find("int ioctl(int fd, unsigned long request, _Inout_ uint8_t *value)"),
    ifNameToIndex: find("unsigned int if_nametoindex(const char *name)"),
    mmap: find("void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)"),
    munmap: find("int munmap(void *address, size_t length)"),
    dup: find("int dup(int fd)"),
    dup3: find("int dup3(int fd, int to, int flags)"),
    epollCreate: find("int epoll_create1(int flags)"),
    epollControl: find("int epoll_ctl(int epoll, int operation, int fd, uint8_t *event)"),
    close: find("int close(int fd)"),
  };
  return {
    getsockopt: (fd, level, name, value) =>
      void check("getsockopt", native.getsockopt(fd, level, name, value, [value.length])),
    getsockname: (fd, address) =>
      void check("getsockname", native.getsockname(fd, address, [address.length])),
    attachFilter(fd, instructions) {
      // struct sock_fprog: how many, and where they are
      const program = new Uint8Array(16);
      const view = new DataView(program.buffer);
      view.setUint16(0, instructions.length / 8, true);
      view.setBigUint64(8, koffi.address(instructions), true);
      check("setsockopt", native.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, program.length));
    },
    ioctl: (fd, request, value) => void check("ioctl", native.ioctl(fd, request, value)),
    ifNameToIndex: (name) => native.ifNameToIndex(name),
    mapShared(fd, length, room) {
      const map = (address: unknown, bytes: number, flags: number, of: number): unknown => {
        const mapped = native.mmap(address, bytes, MAP_READ_WRITE, flags, of, 0) as unknown as bigint;
        if (BigInt.asIntN(64, mapped) === -1n) throw new SystemError("mmap", koffi.errno());
        return mapped;
      };
      // Reserves all of it first, so that nothing else lies where the ring is mapped.
      const address = map(null, length + room, MAP_PRIVATE | MAP_ANONYMOUS, -1);
      const unmap = () => void check("munmap", native.munmap(address, length + room));
      try {
        map(address, length, MAP_SHARED | MAP_FIXED, fd);
      } catch (error) {
        unmap();
        throw error;
      }
      return { bytes: koffi.view(address, length + room), unmap };
    },
    pollFd: (fd, what = "readable") => pollFd(koffi, fd, what),
    hideErrors(fd) {
      const itself = check("dup", native.dup(fd));
      const epoll = check("epoll_create1", native.epollCreate(Flag.closeOnExec));
      const event = new Uint8Array(16); // struct epoll_event: the events, then unused data
      event[0] = EPOLLIN;
      check("epoll_ctl", native.epollControl(epoll, EPOLL_CTL_ADD, itself, event));
      check("dup3", native.dup3(epoll, fd, Flag.closeOnExec));
      native.close(epoll);
      return itself;
    },
  };
}

function pollFd(koffi: typeof import("koffi"), fd: number, what: Awaited): Readiness {
  const events = what === "readable" ? { readable: true } : { disconnect: true };
  let handle: ReturnType<typeof koffi.node.poll> | null = null;
  let ready = () => {};
  return {
    start(call) {
      ready = call;
      // koffi.node.poll starts at once; later calls only restart it.
      if (handle === null) handle = koffi.node.poll(fd, events, () => ready());
      else handle.start(events, () => ready());
    },
    stop: () => handle?.stop(),
    close: () => handle?.close(),
  };
}
