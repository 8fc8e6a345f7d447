import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { statefulsets } from "../../apis/builtins.ts";
import type { ControllerRevision, StatefulSet } from "../../apis/generated/apps/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { holds, templateOf, templatePatch } from "../controller-revision.ts";
import { encode } from "../name-hash.ts";
import { revisionOf } from "./identity.ts";

type Revision = Frozen<ControllerRevision>;

/** What the set's present template is in its history: the newest revision, an old one that a rollback makes the newest, or a new one. */
export type RevisionPlan = { is: "newest"; revision: Revision } | { is: "old"; revision: Revision; next: number } | { is: "new"; data: Record<string, unknown>; next: number };

/** `history` is sorted by revision. */
export function planRevision(set: Frozen<StatefulSet>, history: readonly Revision[]): RevisionPlan {
  const data = templatePatch(set.spec!.template!);
  const last = history.at(-1);
  const next = (last?.revision ?? 0) + 1;
  if (last && holds(last, data)) return { is: "newest", revision: last };
  const equal = history.findLast((revision) => holds(revision, data));
  if (equal) return { is: "old", revision: equal, next };
  if (last && restores(set, last, data)) return { is: "newest", revision: last };
  return { is: "new", data, next };
}

/** Whether the set would look the same with the revision's template: it may have been written when there were fewer defaults. */
function restores(set: Frozen<StatefulSet>, revision: Revision, data: object): boolean {
  const before = thaw<StatefulSet>(set);
  before.spec!.template = templateOf(revision);
  statefulsets.default?.(before);
  return encode(templatePatch(before.spec!.template)) === encode(data);
}

/** Names of revisions beyond the history limit, oldest first; those in use don't count. A negative limit keeps all. */
export function expiredRevisions(set: Frozen<StatefulSet>, pods: readonly Frozen<Pod>[], history: readonly Revision[], inUse: readonly string[]): string[] {
  const limit = set.spec?.revisionHistoryLimit ?? 10;
  const live = new Set([...inUse, ...pods.map(revisionOf)]);
  const unused = history.map(({ metadata }) => metadata.name!).filter((name) => !live.has(name));
  return limit < 0 ? [] : unused.slice(0, Math.max(0, unused.length - limit));
}
