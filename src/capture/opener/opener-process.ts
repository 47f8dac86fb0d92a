/**
 * A program of its own: keeps the capabilities and opens what the process at the other end of descriptor 3 asks for. It ends
 * with that process. Started by `launch.ts`; few files are loaded, none once it is sealed.
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

/** The number of the descriptor, which `launch.ts` chooses. */
const CHANNEL = 3;
/** Names the descriptor of what an opener that began itself anew still knows. */
const KNOWN = "NETWATCH_OPENER_KNOWN";

const known = process.env[KNOWN];
const server = new OpenerServer(DIRECT, known === undefined ? null : readKnown(Number(known)));
if (known !== undefined) server.sealed = { polls: true };
// A service manager tells all processes of a service to end. This one ends after the one it works for.
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
 * Keeps CAP_NET_ADMIN alone: as another user, in this thread only; without root, where the threads beside this one cannot be
 * reached, by beginning anew, with what was known of the network.
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
