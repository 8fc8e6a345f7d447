import type { AnyResource } from "../apimachinery/resource.ts";
import { storageversions } from "./apiserverinternal/storageversion.ts";
import { storageversionmigrations } from "./storagemigration/storageversionmigration.ts";

/** The features of Kubernetes 1.36 that can be switched here, and how ripe they are. https://kubernetes.io/docs/reference/command-line-tools-reference/feature-gates/ */
export const features = {
  APIServerIdentity: { stage: "Beta", default: true, needs: [] },
  StorageVersionAPI: { stage: "Alpha", default: false, needs: ["APIServerIdentity"] },
  StorageVersionMigrator: { stage: "Beta", default: false, needs: [] },
} as const satisfies Record<string, { stage: "Alpha" | "Beta"; default: boolean; needs: readonly string[] }>;

export type Feature = keyof typeof features;
export type FeatureGates = Readonly<Record<Feature, boolean>>;

export const defaultFeatureGates = Object.fromEntries(Object.entries(features).map(([name, feature]) => [name, feature.default])) as FeatureGates;

/** The kinds that are served besides the built-in ones. */
export const gatedKinds = (gates: FeatureGates): readonly AnyResource[] => [...(gates.StorageVersionAPI ? [storageversions] : []), ...(gates.StorageVersionMigrator ? [storageversionmigrations] : [])];
