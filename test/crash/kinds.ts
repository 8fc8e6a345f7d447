import type { Attempt, Seen } from "./ledger.ts";

/** A kind of object that clients write in a test of crashes, each of which says whose write it is. */
export interface TestedKind {
  readonly name: "configmaps" | "leases";
  /** Path of all of them. */
  readonly collection: string;
  /** What is to be found with an attempt that changes all there is to change. */
  content(number: number): string;
  body(attempt: Pick<Attempt, "number" | "content">): Record<string, unknown>;
  /** What an object says; nothing for one that is not ours. */
  read(object: ApiObject): Seen | undefined;
}

export interface ApiObject {
  metadata: { name: string; resourceVersion: string; namespace?: string };
  data?: Record<string, string>;
  spec?: { holderIdentity?: string; renewTime?: string };
}

const namespace = "default";

/** A few bytes mostly, sometimes many pages: the same for the same number. */
function payloadOf(number: number): string {
  const hash = Number(Bun.hash(String(number)) % 1000n);
  const length = hash < 700 ? hash : hash < 980 ? hash * 8 : hash * 200;
  return `${number}-`.repeat(Math.ceil(length / String(number).length)).slice(0, length);
}

export const keyOf = (kind: TestedKind, name: string): string => `${kind.name}/${name}`;
export const nameOf = (key: string): string => key.slice(key.indexOf("/") + 1);

/** Durable, all of it. */
export const configMaps: TestedKind = {
  name: "configmaps",
  collection: `/api/v1/namespaces/${namespace}/configmaps`,
  content: () => "whole",
  body: ({ number }) => ({ apiVersion: "v1", kind: "ConfigMap", data: { attempt: String(number), payload: payloadOf(number) } }),
  read({ metadata: { name, resourceVersion }, data = {} }) {
    const number = Number(data["attempt"]);
    return data["attempt"] === undefined ? undefined : { key: `configmaps/${name}`, revision: Number(resourceVersion), number, content: data["payload"] === payloadOf(number) ? "whole" : `half: ${JSON.stringify(data["payload"]).slice(0, 60)}` };
  },
};

/** Who holds it is durable; that it was renewed may be forgotten. */
export const leases: TestedKind = {
  name: "leases",
  collection: `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
  content: (number) => `holder-${number}`,
  body: ({ number, content }) => ({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", spec: { holderIdentity: content, leaseDurationSeconds: 15, renewTime: new Date(number * 1000).toISOString().replace("Z", "000Z") } }),
  read({ metadata: { name, resourceVersion }, spec = {} }) {
    return spec.holderIdentity?.startsWith("holder-") ? { key: `leases/${name}`, revision: Number(resourceVersion), number: Date.parse(spec.renewTime!) / 1000, content: spec.holderIdentity } : undefined;
  },
};
