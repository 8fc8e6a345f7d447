import type { Frozen } from "../../apimachinery/meta.ts";
import type { JobSpec } from "../../apis/generated/batch/v1.ts";
import { overlap, parseIndexes, sizeOf, type IndexSet } from "./index-set.ts";

/** The index of the first rule that the succeeded indexes fulfil. Source: matchSuccessPolicy. */
export function metSuccessRule({ successPolicy, completions = 0 }: Frozen<JobSpec>, succeeded: IndexSet): number | undefined {
  if (!successPolicy || succeeded.length === 0) return undefined;
  const met = successPolicy.rules.findIndex(({ succeededIndexes, succeededCount = Infinity }) => {
    if (succeededIndexes === undefined) return sizeOf(succeeded) >= succeededCount;
    const wanted = parseIndexes(succeededIndexes, completions), reached = overlap(wanted, succeeded);
    return wanted.length > 0 && (reached === sizeOf(wanted) || reached >= succeededCount);
  });
  return met < 0 ? undefined : met;
}
