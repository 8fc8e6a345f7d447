import type { Pod } from "../pod/pod.ts";

/** Annotations by which a kubelet tells where a pod is from. Source: k8s.io/kubernetes/pkg/kubelet/types. */
export const configSourceAnnotation = "kubernetes.io/config.source";
export const configHashAnnotation = "kubernetes.io/config.hash";
export const configMirrorAnnotation = "kubernetes.io/config.mirror";

/** Whether the pod is from a file of the node, not from the API. */
export const isStaticPod = ({ metadata: { annotations } }: Pod): boolean => (annotations?.[configSourceAnnotation] ?? "api") !== "api" && annotations?.[configMirrorAnnotation] === undefined;

/** Whether the pod only shows in the API what a node runs by itself. */
export const isMirrorPod = ({ metadata: { annotations } }: Pod): boolean => annotations?.[configMirrorAnnotation] !== undefined;

/** What a static pod and its mirror have in common. */
export const fullName = ({ metadata: { namespace, name } }: Pod): string => `${namespace}/${name}`;
