/** Checks that a PostgreSQL server accepts sessions: sends a start-up packet and no password, as pg_isready does (protocol 3.0). */
import type { HealthTarget } from "./health.js";
import { converse } from "./health-tcp.js";

const PROTOCOL_3_0 = 196_608;
/** A user that does not exist: the server's refusal by name shows that it accepts sessions. */
const START_UP = startUp("user\0netwatch\0database\0postgres\0application_name\0netwatch health\0\0");
/** CANNOT CONNECT NOW: starting up, shutting down or in recovery (PostgreSQL appendix A). */
const NOT_NOW = "57P03";
const TOO_MANY = "53300";
const HEAD = 5;

function startUp(parameters: string): Uint8Array {
  const packet = Buffer.alloc(8 + parameters.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(PROTOCOL_3_0, 4);
  packet.write(parameters, 8, "latin1");
  return packet;
}

export async function checkPostgres(target: HealthTarget, signal: AbortSignal): Promise<void> {
  const answer = await converse(target, signal, START_UP, isWhole);
  const type = String.fromCharCode(answer[0]!);
  if (type === "R") return;
  if (type !== "E") throw new Error("the answer is not PostgreSQL's");
  const fields = new Map(
    answer
      .toString("utf8", HEAD)
      .split("\0")
      .filter((field) => field !== "")
      .map((field) => [field[0]!, field.slice(1)]),
  );
  const code = fields.get("C") ?? "";
  if (code === NOT_NOW || code === TOO_MANY || code === "")
    throw new Error(`PostgreSQL says ${(fields.get("M") ?? "nothing that can be read").slice(0, 80)}`);
}

/** One message: a letter, four bytes of length that count themselves, and that much. */
function isWhole(bytes: Buffer): boolean {
  if (bytes.length < HEAD) return false;
  const length = bytes.readInt32BE(1);
  return length < 4 || bytes.length >= 1 + length || (bytes[0] !== 0x52 && bytes[0] !== 0x45);
}
