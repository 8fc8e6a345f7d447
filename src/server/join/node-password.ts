import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node, Secret } from "../../apis/generated/core/v1.ts";

/** Where a node's password is known by its hash, as K3s keeps it: deleting this Secret lets another machine take the node's name. */
export const nodePasswordKey = (nodeName: string): { namespace: string; name: string } => ({ namespace: "kube-system", name: `${nodeName}.node-password.skiff` });

/** What an administrator runs when a node was flashed anew. */
export const forgetCommand = (nodeName: string): string => `kubectl -n kube-system delete secret ${nodePasswordKey(nodeName).name}`;

/** The Secret goes with its Node, by the garbage collector. A node that has yet to register gets its owner later. */
export function nodePasswordSecret(nodeName: string, password: string, node: Frozen<Node> | undefined): Secret {
  return {
    metadata: { ...nodePasswordKey(nodeName), ...(node ? { ownerReferences: [ownerOf(node)] } : {}) },
    type: "Opaque", immutable: true, data: { hash: Buffer.from(hashOf(password, randomBytes(16).toString("hex"))).toString("base64") },
  };
}

export const ownerOf = ({ metadata }: Frozen<Node>): { apiVersion: string; kind: string; name: string; uid: string } => ({ apiVersion: "v1", kind: "Node", name: metadata.name!, uid: metadata.uid! });

/** Whether `password` is the one whose hash the Secret holds. */
export function matchesPassword({ data }: Frozen<Secret>, password: string): boolean {
  const kept = Buffer.from(data?.["hash"] ?? "", "base64").toString();
  const given = Buffer.from(hashOf(password, kept.split(":")[1] ?? "")), wanted = Buffer.from(kept);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** One round is enough: the password is 128 random bits, no word that could be guessed. */
const hashOf = (password: string, salt: string): string => `sha256:${salt}:${createHash("sha256").update(`${salt}:${password}`).digest("hex")}`;
