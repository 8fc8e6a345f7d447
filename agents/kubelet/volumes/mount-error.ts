import { errorText } from "../pod/kill.ts";

/** A volume could not be set up: what the pod's Event says. */
export class MountError extends Error {
  override readonly name = "MountError";
  /** Of the Event: as a filesystem, or as a block device. */
  readonly reason: "FailedMount" | "FailedMapVolume";
  constructor(message: string, { reason = "FailedMount", ...options }: ErrorOptions & { reason?: MountError["reason"] } = {}) {
    super(message, options);
    this.reason = reason;
  }
}

/** Nothing is wrong: others have to do something first, and the pod is woken when they have. */
export class VolumePending extends Error {
  override readonly name = "VolumePending";
  /** `patienceMs`: after which that is worth telling. */
  constructor(message: string, readonly patienceMs = Infinity) {
    super(message);
  }
}

/** The error with the name of the volume, which is that of the PersistentVolume where there is one; unless it says more already. */
export function named(volumeName: string, error: unknown): MountError | VolumePending {
  if (error instanceof MountError || error instanceof VolumePending) return error;
  return new MountError(`MountVolume.SetUp failed for volume "${volumeName}" : ${errorText(error)}`, { cause: error });
}
