import { readFileSync, writeFileSync } from "node:fs";

/** What routing between pods, and to them, needs of the kernel. */
const wanted: Record<string, string> = {
  "net/ipv4/ip_forward": "1",
};

/** Sets what differs. Throws a sentence that names the setting when the kernel refuses. */
export function applySysctls(root = "/proc/sys", settings: Readonly<Record<string, string>> = wanted): void {
  for (const [name, value] of Object.entries(settings)) {
    const path = `${root}/${name}`;
    if (readFileSync(path, "utf8").trim() === value) continue;
    try {
      writeFileSync(path, value);
    } catch (error) {
      throw new Error(`the kernel setting ${name.replaceAll("/", ".")} must be ${value} and could not be set: run "sysctl -w ${name.replaceAll("/", ".")}=${value}" as root`, { cause: error });
    }
  }
}
