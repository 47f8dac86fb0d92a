/** `-a` and `-b` of `netwatch capture`: dumpcap's conditions for the end and for a new file. */
import { InvalidArgumentError } from "commander";
import { LIMITS, type Limit, type Limits } from "../../engine/recording/recorded-options.js";

const MOST: Readonly<Record<Limit, number>> = {
  duration: 100_000_000,
  filesize: 2_000_000_000,
  packets: Number.MAX_SAFE_INTEGER,
  files: 100_000,
};

/** Parses one `duration:60`; commander passes the values before it. */
export function parseLimit(text: string, before: Limits = {}): Limits {
  const match = /^([a-z]+):(\d{1,15}(?:\.\d{1,3})?)$/.exec(text);
  const name = LIMITS.find((limit) => limit === match?.[1]);
  const value = Number(match?.[2]);
  const whole = name === "duration" || Number.isInteger(value);
  if (name === undefined || !whole || value <= 0 || value > MOST[name])
    throw new InvalidArgumentError(`must be one of ${LIMITS.map((limit) => `${limit}:N`).join(", ")}.`);
  return { ...before, [name]: value };
}
