import { forbiddenField, notSupported, type FieldError } from "../../../apimachinery/field-errors.ts";

const short: Readonly<Record<string, string>> = { ReadWriteOnce: "RWO", ReadOnlyMany: "ROX", ReadWriteMany: "RWX", ReadWriteOncePod: "RWOP" };
const supported = Object.keys(short).toSorted();

/** `RWO,ROX`, always in the same order. */
export const formatAccessModes = (modes: readonly string[] | undefined): string => Object.keys(short).filter((mode) => modes?.includes(mode)).map((mode) => short[mode]!).join(",");

export function validateAccessModes(field: string, modes: readonly string[]): FieldError[] {
  const errors = modes.filter((mode) => !supported.includes(mode)).map((mode) => notSupported(field, mode, supported));
  const others = modes.some((mode) => mode !== "ReadWriteOncePod" && supported.includes(mode));
  return modes.includes("ReadWriteOncePod") && others ? [...errors, forbiddenField(field, "may not use ReadWriteOncePod with other access modes")] : errors;
}

export const volumeModes = ["Block", "Filesystem"];
/** Where the storage class was named before it had a field. */
export const betaStorageClass = "volume.beta.kubernetes.io/storage-class";
