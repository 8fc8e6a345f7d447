import type { Frozen } from "../../apimachinery/meta.ts";
import type { ControllerRevision, DaemonSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { byRevision, holds, templatePatch } from "../controller-revision.ts";
import { hashLabel } from "./daemon-pod.ts";

type Revision = Frozen<ControllerRevision>;

/** What is to be done so that exactly one revision holds the present template, with the highest number. Source: constructHistory of Kubernetes' DaemonSet controller. */
export interface HistoryPlan {
  /** The revision that is the present one; undefined when it has to be made. */
  current?: Revision;
  /** What it holds. */
  data: Record<string, unknown>;
  /** The number it is to have. */
  number: number;
  /** Others that hold the same: their pods become the present one's. */
  duplicates: Revision[];
  /** All others, oldest first. */
  old: Revision[];
}

/** The part of a revision that pods carry. One that was made by hand may have none; its name is as good. */
export const hashOf = ({ metadata }: Revision): string => metadata.labels?.[hashLabel] ?? metadata.name!;

export function planHistory(ds: Frozen<DaemonSet>, history: readonly Revision[]): HistoryPlan {
  const data = templatePatch(ds.spec!.template!);
  const sorted = history.toSorted(byRevision);
  const same = sorted.filter((revision) => holds(revision, data)), old = sorted.filter((revision) => !same.includes(revision));
  const current = same.at(-1);
  const next = (old.at(-1)?.revision ?? 0) + 1;
  return { ...(current ? { current } : {}), data, number: Math.max(next, current?.revision ?? 0), duplicates: same.slice(0, -1), old };
}

/** Names of old revisions beyond the limit that no pod is of, oldest first. */
export function expiredRevisions(ds: Frozen<DaemonSet>, old: readonly Revision[], pods: readonly Frozen<Pod>[]): string[] {
  const live = new Set(pods.map(({ metadata }) => metadata.labels?.[hashLabel]));
  const excess = Math.max(0, old.length - (ds.spec?.revisionHistoryLimit ?? 10));
  return old.filter((revision) => !live.has(hashOf(revision))).slice(0, excess).map(({ metadata }) => metadata.name!);
}
