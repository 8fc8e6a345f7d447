/** Source: k8s.io/kube-scheduler/framework (Code). */
export type StatusCode = "Success" | "Error" | "Unschedulable" | "UnschedulableAndUnresolvable" | "Wait" | "Skip" | "Pending";

/** What a plugin says of a pod; undefined in place of a status is success. */
export interface Status {
  readonly code: StatusCode;
  readonly reasons: readonly string[];
  /** Of Wait: at most so many milliseconds. */
  readonly timeout?: number;
  /** Of Error: what was thrown, where something was. */
  readonly cause?: unknown;
}

/** Not now; removing pods, or another change, might help. */
export const unschedulable = (...reasons: string[]): Status => ({ code: "Unschedulable", reasons });
/** Removing pods from the node wouldn't help. */
export const unresolvable = (...reasons: string[]): Status => ({ code: "UnschedulableAndUnresolvable", reasons });
/** Not now; the plugin has set something going and the pod is to be tried without back-off when it is done. */
export const pending = (...reasons: string[]): Status => ({ code: "Pending", reasons });
export const waitFor = (timeout: number, ...reasons: string[]): Status => ({ code: "Wait", reasons, timeout });
export const skip: Status = { code: "Skip", reasons: [] };
/** Something went wrong that says nothing of the pod. */
export const failed = (cause: unknown): Status => ({ code: "Error", reasons: [cause instanceof Error ? cause.message : String(cause)], cause });

/** Runs a plugin's code; what it throws is thrown on with the words kube-scheduler has for it. */
export function during<T>(words: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${words}: ${messageOf(failed(error))}`, { cause: error });
  }
}

/** The pod was judged, rather than something gone wrong. */
export const isRejected = ({ code }: Status): boolean => code === "Unschedulable" || code === "UnschedulableAndUnresolvable" || code === "Pending";
export const isUnresolvable = ({ code }: Status): boolean => code === "UnschedulableAndUnresolvable";

export const messageOf = ({ reasons }: Status): string => reasons.join(", ");
