import type { ListMeta, PartialObjectMetadataList } from "../../apis/generated/meta/v1.ts";
import type { AnyObject } from "./object-json.ts";

/** An object reduced to its metadata, for clients that watch owners and labels only. */
export const partialMetadata = (object: AnyObject, metaVersion: "v1" | "v1beta1"): AnyObject => ({
  kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${metaVersion}`, metadata: object.metadata,
});

export const partialMetadataList = (objects: readonly AnyObject[], metadata: ListMeta, metaVersion: "v1" | "v1beta1"): PartialObjectMetadataList => ({
  kind: "PartialObjectMetadataList", apiVersion: `meta.k8s.io/${metaVersion}`, metadata,
  items: objects.map((object) => partialMetadata(object, metaVersion)) as PartialObjectMetadataList["items"],
});
