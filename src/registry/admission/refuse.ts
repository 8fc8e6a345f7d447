import { forbidden, type StatusError } from "../../apimachinery/status.ts";
import type { AdmissionAttributes } from "./admission.ts";

/** The 403 of a plugin, naming the object; while its name is still to be generated, what it will begin with. */
export function refuse({ card, name, object, oldObject }: AdmissionAttributes, detail: string): StatusError {
  const metadata = object?.metadata ?? oldObject?.metadata;
  return forbidden(card, name || metadata?.name || metadata?.generateName || "", detail);
}
