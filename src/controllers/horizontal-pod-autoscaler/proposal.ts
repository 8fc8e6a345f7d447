import type { Frozen } from "../../apimachinery/meta.ts";
import { quantityOf, type QuantityLike } from "../../apimachinery/quantity.ts";
import { matchesLabels, parseLabelSelector, type Selector } from "../../apimachinery/selectors/labels.ts";
import { pods } from "../../apis/builtins.ts";
import type { Scale } from "../../apis/generated/autoscaling/v1.ts";
import type { HorizontalPodAutoscaler, MetricStatus } from "../../apis/generated/autoscaling/v2.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import type { ReconcileContext } from "../../client/controller.ts";
import type { Tolerances } from "./calculator.ts";
import type { StatusDraft } from "./conditions.ts";
import { evaluate, MetricError, type Evaluated } from "./evaluate.ts";
import type { Metrics } from "./metrics.ts";
import type { SelectorClaims } from "./selector-claims.ts";

const defaultTolerance = 0.1;

export interface Asked {
  autoscaler: Frozen<HorizontalPodAutoscaler>;
  scale: Frozen<Scale>;
  context: ReconcileContext;
  draft: StatusDraft;
}

/** What the metrics of an autoscaler ask for together: the most. */
export interface Proposal {
  /** Absent when they can't say. */
  wish?: { replicas: number; metric: string };
  /** In the order of the spec; a metric that said nothing has an empty type. Absent when none was asked. */
  currentMetrics?: MetricStatus[];
  /** Why there is no wish, or what was left out of it. */
  error?: string;
}

/**
 * Asks all metrics. Where some fail the others may ask for more, but not for less. Conditions and Events are told.
 * Source: computeReplicasForMetrics of k8s.io/kubernetes/pkg/controller/podautoscaler.
 */
export async function propose(asked: Asked, metrics: Metrics, claims: SelectorClaims): Promise<Proposal> {
  const { autoscaler, scale, context, draft } = asked, { namespace = "" } = autoscaler.metadata, specs = autoscaler.spec.metrics ?? [];
  const target = targetOf(asked, claims);
  if ("error" in target) return target;
  const situation = { ...target, namespace, specReplicas: scale.spec?.replicas ?? 0, statusReplicas: scale.status?.replicas ?? 0, tolerances: tolerancesOf(autoscaler), now: context.now() };
  const found: Evaluated[] = [], failed: MetricError[] = [], currentMetrics: MetricStatus[] = [];
  for (const spec of specs) {
    try {
      const evaluated = await evaluate(spec, situation, metrics);
      found.push(evaluated);
      currentMetrics.push(evaluated.status);
    } catch (error) {
      if (!(error instanceof MetricError)) throw error;
      context.recorder.event(autoscaler, "Warning", error.reason, error.detail);
      failed.push(error);
      currentMetrics.push({ type: "" });
    }
  }
  const [first] = failed;
  const error = first && `invalid metrics (${failed.length} invalid out of ${specs.length}), first error is: ${first.message}`;
  let most: Evaluated | undefined;
  for (const each of found) if (!most || most.replicas === 0 || each.replicas > most.replicas) most = each;
  if (!most || (first && most.replicas < situation.specReplicas)) {
    if (first) draft.set("ScalingActive", false, first.reason, `the HPA was unable to compute the replica count: ${first.detail}`);
    return { currentMetrics, error: error ?? "" };
  }
  draft.set("ScalingActive", true, "ValidMetricFound", `the HPA was able to successfully calculate a replica count from ${most.name}`);
  return { wish: { replicas: most.replicas, metric: most.name }, currentMetrics, ...(error ? { error } : {}) };
}

/** The pods that the target's selector picks, which must be this autoscaler's alone. */
function targetOf({ autoscaler, scale, context, draft }: Asked, claims: SelectorClaims): { selector: Selector; pods: readonly Frozen<Pod>[] } | { error: string } {
  const { namespace = "", name = "" } = autoscaler.metadata, text = scale.status?.selector ?? "";
  const refuse = (event: string, reason: string, error: string, message = error): { error: string } => {
    context.recorder.event(autoscaler, "Warning", event, error);
    draft.set("ScalingActive", false, reason, message);
    return { error };
  };
  if (text === "") return refuse("SelectorRequired", "InvalidSelector", "selector is required", "the HPA target's scale is missing a selector");
  let selector: Selector;
  try {
    selector = parseLabelSelector(text);
  } catch (error) {
    return refuse("InvalidSelector", "InvalidSelector", `couldn't convert selector into a corresponding internal selector object: ${(error as Error).message}`);
  }
  claims.claim({ namespace, name }, selector);
  const selected = context.lister(pods).list(namespace).filter(({ metadata }) => matchesLabels(selector, metadata.labels));
  const claimants = claims.of(namespace, selected);
  if (claimants.length > 1) return refuse("AmbiguousSelector", "AmbiguousSelector", `pods by selector ${text} are controlled by multiple HPAs: [${claimants.join(" ")}]`);
  return { selector, pods: selected };
}

function tolerancesOf({ spec: { behavior } }: Frozen<HorizontalPodAutoscaler>): Tolerances {
  const share = (tolerance: QuantityLike | undefined): number => (tolerance === undefined ? defaultTolerance : Number(quantityOf(tolerance).nano) / 1e9);
  return { up: share(behavior?.scaleUp?.tolerance), down: share(behavior?.scaleDown?.tolerance) };
}
