import type { Frozen } from "../../apimachinery/meta.ts";
import { isNotFound } from "../../apimachinery/status.ts";
import { pods } from "../../apis/builtins.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { Client } from "../../client/client.ts";
import { isTracked, trackingFinalizer } from "./job-pods.ts";

/** Takes the finalizer from a pod; one that is gone is free. */
export async function releasePod(pod: Frozen<Pod>, client: Client): Promise<void> {
  if (!isTracked(pod)) return;
  const { namespace, name } = pod.metadata;
  try {
    await client.patch(pods, { namespace, name: name! }, { type: "application/strategic-merge-patch+json", body: { metadata: { "$deleteFromPrimitiveList/finalizers": [trackingFinalizer] } } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
