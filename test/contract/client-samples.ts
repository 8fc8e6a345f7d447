import { StatusError } from "../../src/apimachinery/status.ts";
import type { ConfigMap, Pod } from "../../src/apis/generated/core/v1.ts";
import type { Deployment } from "../../src/apis/generated/apps/v1.ts";

export const namespace = "default";

export const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>): ConfigMap => ({ metadata: { name, namespace, ...(labels ? { labels } : {}) }, data });

/** Mounts no token, so that it needs no service account but the default one's name. */
export const pod = (name: string, labels?: Record<string, string>): Pod => ({
  metadata: { name, namespace, ...(labels ? { labels } : {}) },
  spec: { automountServiceAccountToken: false, containers: [{ name: "main", image: "busybox" }] },
});

export const deployment = (name: string, replicas: number): Deployment => ({
  metadata: { name, namespace },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "main", image: "busybox" }] } } },
});

/** What a call was refused with. Fails when it was not. */
export async function refused(call: Promise<unknown>): Promise<StatusError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof StatusError) return error;
    throw error;
  }
  throw new Error("the call was not refused");
}
