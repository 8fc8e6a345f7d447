/** Who asks, and what for: what authorization and admission decide on. */
export interface UserInfo {
  name: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

export interface ResourceAttributes {
  user: UserInfo;
  /** get, list, watch, create, update, patch, delete, deletecollection, or a special verb such as bind, escalate, impersonate. */
  verb: string;
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string;
  name: string;
  /** Of a list, watch or deletecollection, as sent: what narrows a node's view to its own pods. */
  fieldSelector?: string;
}

export interface PathAttributes {
  user: UserInfo;
  /** The HTTP method in lower case. */
  verb: string;
  path: string;
}

export interface Decision {
  allowed: boolean;
  /** Why, for the Forbidden message and for access reviews. */
  reason: string;
}

export interface Authorizer {
  authorize(attributes: ResourceAttributes): Decision;
  authorizePath(attributes: PathAttributes): Decision;
}

/** One request on its way through the registry. */
export interface RequestContext {
  user: UserInfo;
  /** Adds a `Warning: 299` header to the response. */
  warn(text: string): void;
  /** Adds an annotation to the request's audit event, where there is one; the first value of a key stays. `level`: from which on it is recorded. */
  annotate?(key: string, value: string, level?: "Metadata" | "Request" | "RequestResponse"): void;
  signal?: AbortSignal;
  /** Who managedFields name when the request doesn't say. */
  defaultManager?: string;
}
