/**
 * A separate program: keeps the capabilities and opens what the process at the other end of descriptor 3 requests. It ends
 * with that process. Started by `launch.ts`; loads few files, none after it is sealed.
 */
import { closeSync, readFileSync, writeSync } from "node:fs";
import { deserialize, serialize } from "node:v8";
import { libc, SystemError } from "../kernel/libc.js";
import { receiveMessage, sendMessage } from "../kernel/messages.js";
import {
  Capability,
  dropPrivileges,
  limitCapabilities,
  mayChangeUser,
  unprivilegedUser,
} from "../kernel/privilege.js";
import type { HostNetwork } from "../live/interfaces.js";
import { becomeAgain } from "./launch.js";
import { DIRECT } from "./opener.js";
import { OpenerServer } from "./opener-server.js";
import { PART_BYTES } from "./remote-opener.js";

/** The descriptor's number, chosen by `launch.ts`. */
const CHANNEL = 3;
/** Environment variable with the descriptor of the state that an opener keeps when it executes itself again. */
const KNOWN = "NETWATCH_OPENER_KNOWN";

const known = process.env[KNOWN];
const server = new OpenerServer(DIRECT, known === undefined ? null : readKnown(Number(known)));
if (known !== undefined) server.sealed = { polls: true };
// A service manager signals all processes of a service. This one must end after the process it serves.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
try {
  serve();
} catch (error) {
  if (!(error instanceof SystemError)) throw error;
}
process.exit();

function serve(): void {
  const room = new Uint8Array(PART_BYTES);
  for (;;) {
    const message = receiveMessage(CHANNEL, room);
    if (message.bytes.length === 0) return;
    const reply = server.answer(message);
    if (reply === null) {
      if (!server.sealed!.polls) return;
      shed();
      continue;
    }
    reply.parts.forEach((part, i) => {
      sendMessage(CHANNEL, part, i === reply.parts.length - 1 ? reply.descriptors : []);
    });
    for (const fd of reply.descriptors) closeSync(fd);
  }
}

function writeKnown(file: number, network: HostNetwork | null): void {
  const bytes = serialize(network);
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, done);
}

function readKnown(file: number): HostNetwork | null {
  try {
    return deserialize(readFileSync(`/proc/self/fd/${file}`)) as HostNetwork | null;
  } finally {
    closeSync(file);
  }
}

/**
 * Keeps only CAP_NET_ADMIN: as another user, only in this thread; without root, where the other threads cannot be
 * changed, by executing itself again with the network state so far.
 */
function shed(): void {
  if (mayChangeUser()) {
    dropPrivileges(unprivilegedUser({}), [Capability.netAdmin]);
    return;
  }
  limitCapabilities([Capability.netAdmin]);
  const file = libc().memfd("netwatch-network");
  writeKnown(file, server.network);
  becomeAgain({ [KNOWN]: String(file) }, [CHANNEL, file]);
}
