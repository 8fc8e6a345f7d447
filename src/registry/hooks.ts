import type { Frozen } from "../apimachinery/meta.ts";
import type { Namespace } from "../apis/generated/core/v1.ts";
import { systemClock } from "../base/clock.ts";
import type { Cacher } from "../storage/cacher/cacher.ts";
import { Claims } from "./allocators/claims.ts";
import { serviceAllocators, type ServiceAllocatorOptions } from "./allocators/services.ts";
import { createLocalInformers } from "./local-informers.ts";
import type { WriteHooks } from "./machinery.ts";

/** What the built-in kinds need around their writes. */
export function builtinHooks({ cacher, allocators }: { cacher: Cacher; allocators: Omit<ServiceAllocatorOptions, "claims"> }): WriteHooks {
  return {
    services: serviceAllocators(createLocalInformers(cacher), { ...allocators, ...(cacher.shared ? { claims: new Claims(cacher, systemClock) } : {}) }),
    namespaces: { holdsDeletion: (namespace: Frozen<Namespace>) => (namespace.spec?.finalizers ?? []).length > 0 },
  };
}
