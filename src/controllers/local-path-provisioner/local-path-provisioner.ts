import { keyOf, splitKey, thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { nodes, persistentvolumeclaims, persistentvolumes, storageclasses } from "../../apis/builtins.ts";
import { bindingAnnotations, classOfClaim } from "../../apis/core/volume/binding.ts";
import { isMadeLocally, releaseAnnotation, releases } from "../../apis/core/volume/local-path.ts";
import type { Node, PersistentVolumeClaim } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Controller, type Listers, type ReconcileContext } from "../../client/controller.ts";
import { finalizersPatch } from "../protection-finalizer.ts";
import { growsTo, hostnameOf, hostnameOfNode, planProvision, planRelease } from "./plan.ts";

/**
 * Makes volumes of the class `local-path`, lets them grow where their class does, and has their nodes delete the directories. Keys are `namespace/name` of claims and names of volumes;
 * a volume is named by its claim's uid, so that none is made twice.
 */
export const localPathProvisioner = ({ storageDirectory }: { storageDirectory: string }): Controller => defineController<PersistentVolumeClaim>({
  name: "local-path-provisioner", for: persistentvolumeclaims, writes: [persistentvolumes, persistentvolumeclaims, nodes], reads: [storageclasses],
  watches: [
    watchOf(persistentvolumes, (volume, old) => (isMadeLocally(volume ?? old!) ? [(volume ?? old!).metadata.name!] : [])),
    watchOf(nodes, (node, old, { lister }) => (node ? volumesConcerned(node, old, lister) : claimsOn(old!, lister))),
  ],
  async reconcile(key, context) {
    if (!key.includes("/")) return release(key, context);
    await provision(key, storageDirectory, context);
    await expand(key, context);
  },
});

/** Those that a node has answered of, and those that wait for it to be back. */
function volumesConcerned(node: Frozen<Node>, old: Frozen<Node> | undefined, lister: Listers): string[] {
  const said = old && releases(old.metadata.annotations), says = releases(node.metadata.annotations);
  if (said) return says.filter(([name, state]) => !said.some(([other, was]) => other === name && was === state)).map(([name]) => name);
  const hostname = hostnameOfNode(node);
  const waiting = lister(persistentvolumes).list().filter((volume) => volume.metadata.deletionTimestamp && isMadeLocally(volume) && hostnameOf(volume) === hostname);
  return [...says.map(([name]) => name), ...waiting.map(({ metadata }) => metadata.name!)];
}

/** Those that a node was selected for which has gone. */
const claimsOn = ({ metadata }: Frozen<Node>, lister: Listers): string[] =>
  lister(persistentvolumeclaims).list().filter((claim) => !claim.spec?.volumeName && claim.metadata.annotations?.[bindingAnnotations.selectedNode] === metadata.name).map(keyOf);

async function provision(key: string, storageDirectory: string, { client, lister, recorder }: ReconcileContext): Promise<void> {
  const claim = lister(persistentvolumeclaims).get(key);
  if (!claim) return;
  const plan = planProvision(claim, { storageClass: (name) => lister(storageclasses).get(name), node: (name) => lister(nodes).get(name), storageDirectory });
  const failed = (reason: string): void => recorder.event(claim, "Warning", "ProvisioningFailed", `failed to provision volume with StorageClass "${classOfClaim(claim)}": ${reason}`);
  switch (plan.action) {
    case "none": return;
    case "fail": return failed(plan.reason);
    case "reschedule": {
      failed(plan.reason);
      const unplaced = thaw<PersistentVolumeClaim>(claim);
      delete unplaced.metadata.annotations![bindingAnnotations.selectedNode];
      await client.update(persistentvolumeclaims, unplaced);
      return;
    }
    case "create": {
      const name = plan.volume.metadata.name!;
      if (lister(persistentvolumes).get(name)) return;
      recorder.event(claim, "Normal", "Provisioning", `External provisioner is provisioning volume for claim "${key}"`);
      try {
        await client.create(persistentvolumes, plan.volume);
      } catch (error) {
        if (!isAlreadyExists(error)) failed((error as Error).message);
        throw error;
      }
      recorder.event(claim, "Normal", "ProvisioningSucceeded", `Successfully provisioned volume ${name}`);
    }
  }
}

/** The volume is written first: a claim that has its size needs nothing more. */
async function expand(key: string, { client, lister, recorder }: ReconcileContext): Promise<void> {
  const claim = lister(persistentvolumeclaims).get(key);
  const name = claim?.spec?.volumeName ?? "", volume = lister(persistentvolumes).get(name);
  const storage = claim && growsTo(claim, volume);
  if (storage === undefined) return;
  recorder.event(claim!, "Normal", "Resizing", `External resizer is resizing volume ${name}`);
  await client.patch(persistentvolumes, { name }, { type: "application/merge-patch+json", body: { spec: { capacity: { storage } } } });
  await client.patch(persistentvolumeclaims, splitKey(key), { type: "application/merge-patch+json", body: { status: { capacity: { storage } } } }, { subresource: "status" });
  recorder.event(claim!, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded");
}

async function release(name: string, context: ReconcileContext): Promise<void> {
  const { client, lister } = context;
  const volume = lister(persistentvolumes).get(name);
  const all = (): readonly Frozen<Node>[] => lister(nodes).list();
  if (!volume) {
    for (const node of all()) if (node.metadata.annotations?.[releaseAnnotation(name)] !== undefined) await annotate(node.metadata.name!, name, null, context);
    return;
  }
  const plan = planRelease(volume, (hostname) => all().find((node) => hostnameOfNode(node) === hostname));
  switch (plan.action) {
    case "none": return;
    case "finalizers":
      await client.patch(persistentvolumes, { name }, finalizersPatch(volume, plan.finalizers));
      return;
    case "delete": return client.delete(persistentvolumes, { name }, { preconditions: { uid: volume.metadata.uid } });
    case "ask": return annotate(plan.node, name, "release", context);
    case "finish":
      await client.patch(persistentvolumes, { name }, finalizersPatch(volume, plan.finalizers));
      return annotate(plan.node, name, null, context);
  }
}

/** What a node that is gone would have to be told is told when it is back. */
async function annotate(node: string, volume: string, state: "release" | null, { client }: ReconcileContext): Promise<void> {
  try {
    await client.patch(nodes, { name: node }, { type: "application/merge-patch+json", body: { metadata: { annotations: { [releaseAnnotation(volume)]: state } } } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
