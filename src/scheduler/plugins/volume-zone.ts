import { semanticEqual } from "../../apimachinery/equality.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { persistentvolumeclaims, persistentvolumes, storageclasses } from "../../apis/builtins.ts";
import { classOfClaim, waitsForConsumer } from "../../apis/core/volume/binding.ts";
import type { PersistentVolume, Pod } from "../../apis/generated/core/v1.ts";
import { definePlugin, unresolvable, type AnyPlugin, type Handle, type Status } from "../framework.ts";

const zone = "topology.kubernetes.io/zone", region = "topology.kubernetes.io/region";
/** Labels of where a volume is, and what newer nodes have in their place. */
const topologyLabels: Readonly<Record<string, string>> = { "failure-domain.beta.kubernetes.io/zone": zone, "failure-domain.beta.kubernetes.io/region": region, [zone]: zone, [region]: region };
const keys = Object.keys(topologyLabels);

/** Where one label of a volume lets it be used. */
interface Topology {
  readonly key: string;
  readonly values: ReadonlySet<string>;
}

const elsewhere = unresolvable("node(s) had no available volume zone");

/** Volumes that are labelled with a zone or region are used there. Source: kube-scheduler's VolumeZone. */
export function volumeZone(_: unknown, { lister }: Handle): AnyPlugin {
  const claims = lister(persistentvolumeclaims), volumes = lister(persistentvolumes), classes = lister(storageclasses);

  function topologiesOf(pod: Frozen<Pod>): Topology[] | Status {
    const found: Topology[] = [];
    for (const name of claimNamesOf(pod)) {
      if (name === "") return unresolvable("PersistentVolumeClaim had no name");
      const claim = claims.get(`${pod.metadata.namespace}/${name}`);
      if (!claim) return unresolvable(`persistentvolumeclaim "${name}" not found`);
      const volumeName = claim.spec?.volumeName;
      if (volumeName) {
        const volume = volumes.get(volumeName);
        if (!volume) return unresolvable(`persistentvolume "${volumeName}" not found`);
        found.push(...volumeTopologies(volume));
        continue;
      }
      const className = classOfClaim(claim);
      if (className === "") return unresolvable("PersistentVolumeClaim had no pv name and storageClass name");
      const storageClass = classes.get(className);
      if (!storageClass) return unresolvable(`storageclass.storage.k8s.io "${className}" not found`);
      if (!waitsForConsumer(storageClass)) return unresolvable("PersistentVolume had no name");
    }
    return found;
  }

  return definePlugin<readonly Topology[]>({
    name: "VolumeZone",
    events: () => [
      { resource: "storage.k8s.io/StorageClass", actions: ["Add"], hint: (__, ___, added) => (waitsForConsumer(added) ? "Queue" : "Skip") },
      { resource: "Node", actions: ["Add", "UpdateNodeLabel"] },
      { resource: "PersistentVolumeClaim", actions: ["Add", "Update"], hint: (pod, __, claim) => (claim?.metadata.namespace === pod.metadata.namespace && claimNamesOf(pod).includes(claim!.metadata.name!) ? "Queue" : "Skip") },
      { resource: "PersistentVolume", actions: ["Add", "Update"], hint: (__, old, current) => (!old || !semanticEqual(labelsOf(old), labelsOf(current!)) ? "Queue" : "Skip") },
    ],
    preFilter({ pod }) {
      if (!pod.spec.volumes?.length) return { skip: true };
      const topologies = topologiesOf(pod);
      if (!Array.isArray(topologies)) return { rejected: topologies as Status };
      return topologies.length === 0 ? { skip: true } : { state: topologies };
    },
    filter(__, { labels }, topologies) {
      // A cluster of one zone may have no labels at all.
      if (!keys.some((key) => labels[key] !== undefined)) return undefined;
      for (const { key, values } of topologies) {
        const value = labels[key] ?? labels[topologyLabels[key]!];
        if (value === undefined || !values.has(value)) return elsewhere;
      }
      return undefined;
    },
  });
}

/** Claims of ephemeral volumes are not looked at. */
const claimNamesOf = ({ spec }: Frozen<Pod>): string[] => (spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => (persistentVolumeClaim ? [persistentVolumeClaim.claimName] : []));

const labelsOf = ({ metadata }: Frozen<PersistentVolume>): (string | undefined)[] => keys.map((key) => metadata.labels?.[key]);

/** Several zones are written as `a__b`; a label that isn't so is passed over. */
const volumeTopologies = ({ metadata }: Frozen<PersistentVolume>): Topology[] => keys.flatMap((key) => {
  const values = metadata.labels?.[key]?.split("__").map((value) => value.trim());
  return !values || values.includes("") ? [] : [{ key, values: new Set(values) }];
});
