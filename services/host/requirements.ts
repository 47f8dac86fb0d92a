import { accessSync, constants } from "node:fs";
import { LabError } from "../lab-error.js";
import { postgresBin } from "../servers/postgres.js";

const PROGRAMS: readonly { program: string; debianPackage: string }[] = [
  { program: "ip", debianPackage: "iproute2" },
  { program: "nft", debianPackage: "nftables" },
  { program: "iptables", debianPackage: "iptables" },
  { program: "setpriv", debianPackage: "util-linux" },
  { program: "nginx", debianPackage: "nginx" },
  { program: "redis-server", debianPackage: "redis-server" },
  { program: "conntrack", debianPackage: "conntrack" },
];

export function requireRoot(): void {
  if (process.platform !== "linux") throw new LabError("the lab needs Linux");
  if (process.getuid?.() !== 0) throw new LabError("the lab makes network namespaces and needs root", 3);
}

/** Names missing programs and the command that installs them. */
export function requirePrograms(): void {
  const missing = missingPackages(isInstalled, postgresBin() !== undefined);
  if (missing.length > 0)
    throw new LabError(
      `missing: ${missing.join(", ")}; install with: apt-get install -y ${missing.join(" ")}`,
    );
}

export function missingPackages(has: (program: string) => boolean, hasPostgres: boolean): string[] {
  const missing = PROGRAMS.filter(({ program }) => !has(program)).map((entry) => entry.debianPackage);
  return hasPostgres ? missing : [...missing, "postgresql"];
}

export function isInstalled(program: string): boolean {
  return ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].some((directory) => {
    try {
      accessSync(`${directory}/${program}`, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
