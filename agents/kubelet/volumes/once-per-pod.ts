import type { MountedVolume, VolumeContext, VolumePlugin } from "./volume.ts";

/** Between tries to renew a volume that a pod has: it goes on with what it has meanwhile. */
const retryMs = 60_000;

/**
 * A plugin whose volumes are set up once for each pod, and again when that wears out: what they stand for seldom changes, so that a pod which has
 * its volumes can go on while the API, or a driver, is away.
 */
export function oncePerPod({ open, ...plugin }: Pick<VolumePlugin, "name" | "supports"> & { open(context: VolumeContext): Promise<MountedVolume> }): VolumePlugin {
  const known = new Map<string, Map<string, MountedVolume>>();
  return {
    ...plugin, refreshes: false,
    async setUp(context) {
      const { pod, volume, now } = context, uid = pod.metadata.uid!;
      const ofPod = known.get(uid) ?? new Map<string, MountedVolume>();
      known.set(uid, ofPod);
      const last = ofPod.get(volume.name);
      if (last && !last.isStale?.() && (last.refreshAt === undefined || now() < last.refreshAt)) return last;
      const mounted = await open(context).catch((error: unknown) => {
        if (!last) throw error;
        const { isStale: _, ...kept } = last;
        return { ...kept, provisional: false, refreshAt: now() + retryMs };
      });
      ofPod.set(volume.name, mounted.provisional ? { ...mounted, refreshAt: -Infinity } : mounted);
      return mounted;
    },
    forget: (uid) => known.delete(uid),
  };
}
