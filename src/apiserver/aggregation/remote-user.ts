import type { UserInfo } from "../../registry/attributes.ts";

/** What the front proxy tells of a request's user. Repeated fields are arrays. Source: k8s.io/client-go/transport SetAuthProxyHeaders. */
export function remoteUserHeaders({ name, uid, groups, extra = {} }: UserInfo): Record<string, string | string[]> {
  return {
    "X-Remote-User": name, ...(uid ? { "X-Remote-Uid": uid } : {}), ...(groups.length ? { "X-Remote-Group": [...groups] } : {}),
    ...Object.fromEntries(Object.entries(extra).map(([key, values]) => [`X-Remote-Extra-${escapeKey(key)}`, [...values]])),
  };
}

/** Header fields of this kind that a client sends are its own claims, and go no further. */
export const isRemoteUserHeader = (name: string): boolean => name === "x-remote-user" || name === "x-remote-uid" || name === "x-remote-group" || name.startsWith("x-remote-extra-");

const notInName = /[^!#$&'*+\-.^_`|~0-9A-Za-z]/g;
const escapeKey = (key: string): string => key.replace(notInName, (character) => [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join(""));
