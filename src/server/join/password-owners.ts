import { isConflict, isNotFound } from "../../apimachinery/status.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { nodes } from "../../apis/core/node.ts";
import { secrets } from "../../apis/core/secret.ts";
import type { Node } from "../../apis/generated/core/v1.ts";
import { logger } from "../../base/log.ts";
import type { Client } from "../../client/client.ts";
import type { InformerFactory } from "../../client/informer.ts";
import { nodePasswordKey, ownerOf } from "./node-password.ts";

/** Makes each Node the owner of its password when it registers, so that deleting the Node lets another machine have the name. */
export async function ownNodePasswords({ client, informers }: { client: Client; informers: InformerFactory }, signal: AbortSignal): Promise<void> {
  const log = logger("join");
  const own = async (node: Frozen<Node>): Promise<void> => {
    const body = { metadata: { ownerReferences: [ownerOf(node)] } };
    await client.patch(secrets, nodePasswordKey(node.metadata.name!), { type: "application/merge-patch+json", body });
  };
  const { lister } = informers.informer(secrets);
  const unsubscribe = informers.informer(nodes).onChange((old, node) => {
    if (!node || old?.metadata.uid === node.metadata.uid) return;
    const { namespace, name } = nodePasswordKey(node.metadata.name!);
    // The server's own node has no password, nor have those of other agents than ours.
    const secret = lister.get(`${namespace}/${name}`);
    if (!secret || secret.metadata.ownerReferences?.some(({ uid }) => uid === node.metadata.uid)) return;
    own(node).catch((error: unknown) => {
      if (!isNotFound(error) && !isConflict(error)) log.warn("A node could not be made the owner of its password", { node: node.metadata.name, error });
    });
  });
  await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
  unsubscribe();
}
