import type { AnyResource } from "../../apimachinery/resource.ts";
import type { ObjectKey } from "../../client/client.ts";
import type { RequestContext } from "../attributes.ts";
import type { Machinery } from "../machinery.ts";
import type { WriteRequest } from "../registry.ts";
import type { TokenIssuer } from "../token-issuer.ts";
import { createBinding } from "./binding.ts";
import { createEviction } from "./eviction.ts";
import { createToken } from "./token.ts";

export interface SubresourceCall {
  machinery: Machinery;
  context: RequestContext;
  card: AnyResource;
  key: ObjectKey;
  /** Decoded and admitted. */
  body: unknown;
  options: WriteRequest;
  tokenIssuer?: TokenIssuer;
}

/** What a POST to a subresource means. Its body is a kind of its own. */
export type SubresourceCreator = (call: SubresourceCall) => Promise<unknown>;

export const creators: Readonly<Record<string, SubresourceCreator>> = {
  "pods/binding": createBinding,
  "pods/eviction": createEviction,
  "serviceaccounts/token": createToken,
};
