import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { VolumeProjection } from "../../../src/apis/generated/core/v1.ts";
import { allContainers, type Pod } from "../pod/pod.ts";
import { write } from "./api-volumes.ts";
import { configMapFiles, downwardApiFiles, secretFiles, type Files } from "./payload.ts";
import type { VolumeContext, VolumePlugin } from "./volume.ts";

const defaultTokenSeconds = 3600;

/** Several sources in one directory, later ones over earlier ones; among them the pod's own, ever fresh, token. */
export const projected: VolumePlugin = {
  name: "kubernetes.io~projected",
  supports: (volume) => volume.projected !== undefined,
  refreshes: true,
  async setUp(context) {
    const { sources, defaultMode = 0o644 } = context.volume.projected!;
    const files: Files = new Map();
    let refreshAt: number | undefined;
    for (const source of sources) {
      const part = await filesOf(context, source, defaultMode);
      for (const [path, file] of part.files) files.set(path, file);
      if (part.refreshAt !== undefined) refreshAt = Math.min(refreshAt ?? Infinity, part.refreshAt);
    }
    return { ...write(context, files, "memory"), refreshAt };
  },
};

async function filesOf(context: VolumeContext, { configMap, secret, downwardAPI, serviceAccountToken }: Frozen<VolumeProjection>, mode: number): Promise<{ files: Files; refreshAt?: number }> {
  if (configMap) return { files: await configMapFiles(context, configMap.name ?? "", { ...configMap, mode }) };
  if (secret) return { files: await secretFiles(context, secret.name ?? "", { ...secret, mode }) };
  if (downwardAPI) return { files: downwardApiFiles(context, downwardAPI.items ?? [], mode) };
  if (serviceAccountToken) {
    const seconds = serviceAccountToken.expirationSeconds ?? defaultTokenSeconds;
    const { token, renewAt } = await context.token(context.pod, serviceAccountToken.audience, seconds);
    const file = { data: Buffer.from(token), ...tokenAccess(context.pod, mode) };
    return { files: new Map([[serviceAccountToken.path, file]]), refreshAt: renewAt };
  }
  throw new Error("this kind of projected volume source is not supported on this node");
}

/** A token is for its reader alone where the pod says who that is: one user for all containers, and those of its fsGroup. */
export function tokenAccess(pod: Pod, mode: number): { mode: number; uid?: number } {
  const users = new Set(allContainers(pod).map((container) => container.securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser));
  const [uid] = users.size === 1 ? users : [];
  return uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined ? { mode: 0o600, uid } : { mode };
}
