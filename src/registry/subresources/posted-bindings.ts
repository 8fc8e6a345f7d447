import type { KubeObject } from "../../apimachinery/meta.ts";
import { pods } from "../../apis/core/pod/pod.ts";
import type { Registry } from "../registry.ts";
import type { Reviews } from "../reviews.ts";

/** POST bindings: what pods/binding does, and its Status for an answer. */
export const postedBindings = (registry: () => Registry): Reviews => ({
  "bindings.": async (context, object, options) => {
    const { namespace, name = "" } = object.metadata;
    return await registry().createSubresource(context, pods, { namespace, name }, "binding", object, options) as KubeObject;
  },
});
