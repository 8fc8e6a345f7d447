import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Node, PersistentVolume } from "../../generated/core/v1.ts";
import { bindingAnnotations } from "./binding.ts";

/**
 * Volumes that are directories of a node: what their provisioner and the node's kubelet agree on. A volume's directory lies directly below the
 * node's storage directory and begins with the volume's name. When a volume is to go, the provisioner sets the node's annotation for it to
 * `release`; the node deletes the directory and answers `released`.
 */

/** The provisioner of the class `local-path`. */
export const localPathProvisioner = "skiff.io/local-path";

/** Names our provisioner gives; nothing else is ever deleted by one. */
const isVolumeName = (name: string): boolean => /^pvc-[0-9a-f-]{36}$/.test(name);

const releasePrefix = "local-path.skiff.io/";
export const releaseAnnotation = (volumeName: string): string => `${releasePrefix}${volumeName}`;

/** Names of the volumes that a node's annotations speak of, with what they say. */
export const releases = (annotations: Readonly<Record<string, string>> = {}): [volumeName: string, state: string][] =>
  Object.entries(annotations).filter(([key]) => key.startsWith(releasePrefix)).map(([key, state]) => [key.slice(releasePrefix.length), state]);

/** Names of the volumes that a node is asked to delete. */
export const volumesToRelease = (node: Frozen<Node> | undefined): string[] =>
  releases(node?.metadata.annotations).filter(([name, state]) => state === "release" && isVolumeName(name)).map(([name]) => name);

const longestFileName = 255;

/** `<volume>_<namespace>_<claim>`, cut to what a file may be called. */
export const volumeDirectory = (volume: string, namespace: string, claim: string): string => `${volume}_${namespace}_${claim}`.slice(0, longestFileName);

export const isMadeLocally = ({ metadata, spec }: Frozen<PersistentVolume>): boolean =>
  metadata.annotations?.[bindingAnnotations.provisionedBy] === localPathProvisioner && spec?.local !== undefined && isVolumeName(metadata.name ?? "");
