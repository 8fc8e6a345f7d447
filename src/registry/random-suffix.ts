import { randomInt } from "node:crypto";

/** No vowels and nothing that looks alike, as Kubernetes' generated names (k8s.io/apimachinery/pkg/util/rand). */
const alphabet = "bcdfghjklmnpqrstvwxz2456789";

/** Five random characters. */
export const randomSuffix = (): string => Array.from({ length: 5 }, () => alphabet[randomInt(alphabet.length)]).join("");
