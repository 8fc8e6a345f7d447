import { readFileSync } from "node:fs";

/** Whether the kernel enforces AppArmor profiles. */
export function hasAppArmor(parameter = "/sys/module/apparmor/parameters/enabled"): boolean {
  try {
    return readFileSync(parameter, "utf8").startsWith("Y");
  } catch {
    return false;
  }
}
