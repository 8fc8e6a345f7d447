import { compareQuantities, parseQuantity, value } from "../../apimachinery/quantity.ts";
import { parseGoDuration } from "../../base/go-duration.ts";

/** What of a kubelet can be set, as its KubeletConfiguration has it; undefined where the kubelet chooses. Durations in milliseconds, sizes in bytes. */
export interface KubeletSettings {
  maxPods?: number;
  podPidsLimit?: number;
  /** Kept from pods, by resource: cpu, memory, ephemeral-storage, pid. */
  kubeReserved?: Record<string, string>;
  systemReserved?: Record<string, string>;
  /** `memory.available<100Mi`; the kubelet checks the signals. */
  evictionHard?: string[];
  evictionSoft?: string[];
  evictionSoftGracePeriod?: string[];
  evictionMinimumReclaim?: string[];
  evictionMaxPodGracePeriodSeconds?: number;
  evictionPressureTransitionPeriod?: number;
  imageGCHighThresholdPercent?: number;
  imageGCLowThresholdPercent?: number;
  imageMinimumGCAge?: number;
  /** 0: unused images may stay as long as there is room. */
  imageMaximumGCAge?: number;
  serializeImagePulls?: boolean;
  maxParallelImagePulls?: number;
  imagePullCredentialsVerificationPolicy?: ImagePullCredentialsVerificationPolicy;
  containerLogMaxSize?: number;
  containerLogMaxFiles?: number;
  shutdownGracePeriod?: number;
  shutdownGracePeriodCriticalPods?: number;
  /** A directory of static pods' files, or one such file. */
  staticPodPath?: string;
}

const verificationPolicies = ["NeverVerify", "NeverVerifyPreloadedImages", "AlwaysVerify"] as const;
/** Which images that are on the node already a pod may only use with credentials that could have pulled them. */
export type ImagePullCredentialsVerificationPolicy = (typeof verificationPolicies)[number];

type Reader = (text: string) => unknown;
const reservable = ["cpu", "memory", "ephemeral-storage", "pid"];

const wholeNumber: Reader = (text) => (/^\d+$/.test(text) ? Number(text) : fail("a whole number such as 200"));
const percent: Reader = (text) => (/^\d+$/.test(text) && Number(text) <= 100 ? Number(text) : fail("a percentage from 0 to 100"));
const yesOrNo: Reader = (text) => (text === "true" ? true : text === "false" ? false : fail("true or false"));
const list: Reader = (text) => text.split(",").map((item) => item.trim()).filter(Boolean);
const duration: Reader = (text) => attempt(() => parseGoDuration(text), (ms) => ms >= 0, "a duration such as 2m or 24h");
const size: Reader = (text) => attempt(() => value(text), (bytes) => bytes > 0, "a size such as 10Mi");
const path: Reader = (text) => (text.startsWith("/") ? text : fail("an absolute path"));
const oneOf = (...allowed: readonly string[]): Reader => (text) => (allowed.includes(text) ? text : fail(allowed.join(", ")));
const amounts: Reader = (text) => Object.fromEntries(text.split(",").map((item) => {
  const [resource = "", amount = ""] = item.split("=").map((part) => part.trim());
  if (!reservable.includes(resource)) fail(`amounts of ${reservable.join(", ")}, such as cpu=200m,memory=256Mi`);
  return [resource, attempt(() => parseQuantity(amount) && amount, () => compareQuantities(amount, 0) >= 0, "amounts such as cpu=200m,memory=256Mi")];
}));

function fail(wanted: string): never {
  throw new Error(wanted);
}

function attempt<T>(read: () => T, isRight: (value: T) => boolean, wanted: string): T {
  try {
    const found = read();
    if (isRight(found)) return found;
  } catch {
    // What is wrong with it matters less than what would be right.
  }
  return fail(wanted);
}

/** The kubelet's own flags, as far as there is something here to set. https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/ */
const flags: Readonly<Record<string, readonly [field: keyof KubeletSettings, read: Reader]>> = {
  "max-pods": ["maxPods", wholeNumber], "pod-max-pids": ["podPidsLimit", wholeNumber],
  "kube-reserved": ["kubeReserved", amounts], "system-reserved": ["systemReserved", amounts],
  "eviction-hard": ["evictionHard", list], "eviction-soft": ["evictionSoft", list], "eviction-soft-grace-period": ["evictionSoftGracePeriod", list], "eviction-minimum-reclaim": ["evictionMinimumReclaim", list],
  "eviction-max-pod-grace-period": ["evictionMaxPodGracePeriodSeconds", wholeNumber], "eviction-pressure-transition-period": ["evictionPressureTransitionPeriod", duration],
  "image-gc-high-threshold": ["imageGCHighThresholdPercent", percent], "image-gc-low-threshold": ["imageGCLowThresholdPercent", percent],
  "minimum-image-ttl-duration": ["imageMinimumGCAge", duration], "image-maximum-gc-age": ["imageMaximumGCAge", duration],
  "serialize-image-pulls": ["serializeImagePulls", yesOrNo], "max-parallel-image-pulls": ["maxParallelImagePulls", wholeNumber],
  "image-pull-credentials-verification-policy": ["imagePullCredentialsVerificationPolicy", oneOf(...verificationPolicies)],
  "container-log-max-size": ["containerLogMaxSize", size], "container-log-max-files": ["containerLogMaxFiles", wholeNumber],
  "shutdown-grace-period": ["shutdownGracePeriod", duration], "shutdown-grace-period-critical-pods": ["shutdownGracePeriodCriticalPods", duration],
  "pod-manifest-path": ["staticPodPath", path],
};

/**
 * Reads `name=value` as a kubelet's flags have it, dashes before the name or not. Values that are lists may have been cut at their commas:
 * what begins with no setting's name goes on with the list before. Throws an Error with a sentence for the first mistake.
 */
export function parseKubeletArgs(args: readonly string[]): KubeletSettings {
  const settings: Record<string, unknown> = {};
  for (const arg of rejoined(args)) {
    const [, name = "", text = ""] = /^-*([^=]*)=?(.*)$/s.exec(arg)!;
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    if (!flag) throw new Error(`the kubelet has no setting ${JSON.stringify(name)} here; it has ${Object.keys(flags).join(", ")}`);
    const [field, read] = flag;
    try {
      settings[field] = read(text.trim());
    } catch (error) {
      throw new Error(`the kubelet's ${name} must be ${(error as Error).message}, not ${JSON.stringify(text)}`, { cause: error });
    }
  }
  return checked(settings as KubeletSettings);
}

function rejoined(args: readonly string[]): string[] {
  const whole: string[] = [];
  for (const arg of args) {
    const last = whole.at(-1);
    if (last !== undefined && lists.includes(readerOf(last)) && !readerOf(arg)) whole[whole.length - 1] = `${last},${arg}`;
    else whole.push(arg);
  }
  return whole;
}

const lists: readonly (Reader | undefined)[] = [list, amounts];
const nameOf = (arg: string): string => /^-*([^=]*)/.exec(arg)![1]!;
const readerOf = (arg: string): Reader | undefined => (Object.hasOwn(flags, nameOf(arg)) ? flags[nameOf(arg)]![1] : undefined);

function checked(settings: KubeletSettings): KubeletSettings {
  const { imageGCHighThresholdPercent: high = 85, imageGCLowThresholdPercent: low = 80, containerLogMaxFiles = 2, imageMinimumGCAge = 0, imageMaximumGCAge = 0 } = settings;
  if (low >= high) throw new Error(`the kubelet's image-gc-low-threshold ${low} must be below image-gc-high-threshold ${high}`);
  if (containerLogMaxFiles < 2) throw new Error("the kubelet's container-log-max-files must be 2 or more: the current log and one before it");
  if (imageMaximumGCAge > 0 && imageMaximumGCAge <= imageMinimumGCAge) throw new Error("the kubelet's image-maximum-gc-age must be longer than minimum-image-ttl-duration");
  return settings;
}
