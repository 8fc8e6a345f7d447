import { isAlreadyExists } from "../../apimachinery/status.ts";
import { defaultClassAnnotations } from "../../apis/core/volume/binding.ts";
import { localPathProvisioner } from "../../apis/core/volume/local-path.ts";
import { storageclasses } from "../../apis/storage/storageclass.ts";
import type { Client } from "../../client/client.ts";

/**
 * Makes the class `local-path`, the default: volumes are directories of the node that the first pod goes to. One that is there already is left
 * as it is, so that users may take the mark of the default from it. One that users deleted comes back at the next start.
 */
export async function ensureLocalPathStorageClass(client: Client): Promise<void> {
  try {
    await client.create(storageclasses, {
      apiVersion: "storage.k8s.io/v1", kind: "StorageClass",
      metadata: { name: "local-path", annotations: { [defaultClassAnnotations[0]!]: "true" } },
      provisioner: localPathProvisioner, reclaimPolicy: "Delete", volumeBindingMode: "WaitForFirstConsumer",
    });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
