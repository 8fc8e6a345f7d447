import type { UserInfo } from "../registry/attributes.ts";

/** Whom the parts of a server are known as to the API. */

export const admin: UserInfo = { name: "system:apiserver", groups: ["system:masters"] };
export const serviceAccountUser = (name: string): UserInfo => ({ name: `system:serviceaccount:kube-system:${name}`, groups: ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"] });
export const schedulerUser: UserInfo = { name: "system:kube-scheduler", groups: ["system:authenticated"] };
export const nodeUser = (nodeName: string): UserInfo => ({ name: `system:node:${nodeName}`, groups: ["system:nodes", "system:authenticated"] });
export const networkUser = (nodeName: string): UserInfo => ({ name: `system:skiff-network:${nodeName}`, groups: ["system:skiff-networks", "system:authenticated"] });
