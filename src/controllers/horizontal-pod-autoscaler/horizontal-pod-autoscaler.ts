import { keyOf, splitKey, thaw, type Frozen } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { isConflict } from "../../apimachinery/status.ts";
import { horizontalpodautoscalers, pods } from "../../apis/builtins.ts";
import type { Scale } from "../../apis/generated/autoscaling/v1.ts";
import type { HorizontalPodAutoscaler, MetricStatus } from "../../apis/generated/autoscaling/v2.ts";
import { defineController, watchOf, type Controller, type ReconcileContext, type ServedKinds } from "../../client/controller.ts";
import type { ExtensionApis } from "../../client/extension-apis.ts";
import { cardOfKind, getScale, parseGroupVersion, scaleRule, updateScale } from "../scales.ts";
import { normalize, remember, type History } from "./behavior.ts";
import { draftOf, type StatusDraft } from "./conditions.ts";
import { metricsOf } from "./metrics.ts";
import { propose } from "./proposal.ts";
import { SelectorClaims } from "./selector-claims.ts";

/** A new autoscaler is first looked at after so long, when what was made with it has begun to run; then again this often. */
const period = 15_000;
/** How often a scale that changes meanwhile is tried. */
const updateAttempts = 5;

export interface HorizontalPodAutoscalerOptions {
  kinds: ServedKinds;
  /** Where the metrics APIs are reached. */
  extensions: ExtensionApis;
  /** Milliseconds from some fixed moment: for windows and rates, which a clock that is set must not touch. */
  monotonic(): number;
}

/** One autoscaler at work. */
interface Pass {
  autoscaler: Frozen<HorizontalPodAutoscaler>;
  key: string;
  context: ReconcileContext;
  draft: StatusDraft;
}

/**
 * Scales what HorizontalPodAutoscalers point at by what its pods' metrics say. It runs only while there are any. Make one for each start.
 * Source: k8s.io/kubernetes/pkg/controller/podautoscaler.
 */
export function horizontalPodAutoscaler({ kinds, extensions, monotonic }: HorizontalPodAutoscalerOptions): Controller {
  const metrics = metricsOf(extensions, kinds), claims = new SelectorClaims();
  /** By the key of an autoscaler; a history begins when its target has first been seen. */
  const known = new Map<string, { uid: string; history?: History }>();

  function historyOf({ key }: Pass, currentReplicas: number): History {
    const { history } = known.get(key)!;
    if (history) return history;
    // What there is holds against scaling down at once, as a recommendation would.
    return { recommendations: [{ replicas: currentReplicas, at: monotonic() }], ups: [], downs: [] };
  }
  const keep = ({ autoscaler, key }: Pass, history: History): void => void known.set(key, { uid: autoscaler.metadata.uid!, history });

  /** Undefined when there is no scale: the draft says why. */
  async function findScale({ autoscaler, context, draft }: Pass): Promise<{ card: AnyResource; scale: Frozen<Scale> } | undefined> {
    const { apiVersion, kind, name } = autoscaler.spec.scaleTargetRef;
    try {
      const groupVersion = parseGroupVersion(apiVersion), card = cardOfKind(kinds, groupVersion, kind);
      if (!card) throw new Error(`no matches for kind ${JSON.stringify(kind)} in group ${JSON.stringify(groupVersion.group)}`);
      const scale = await getScale(context.client, card, { namespace: autoscaler.metadata.namespace!, name });
      draft.set("AbleToScale", true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
      return { card, scale };
    } catch (error) {
      const { message } = error as Error;
      context.recorder.event(autoscaler, "Warning", "FailedGetScale", message);
      draft.set("AbleToScale", false, "FailedGetScale", `the HPA controller was unable to get the target's current scale: ${message}`);
      return undefined;
    }
  }

  /** What the target is to have, and why; undefined when metrics leave it open. */
  async function decide(pass: Pass, scale: Frozen<Scale>): Promise<{ replicas: number; reason: string; currentMetrics?: MetricStatus[] } | undefined> {
    const { autoscaler, context, draft } = pass, { spec } = autoscaler;
    const current = scale.spec?.replicas ?? 0, min = spec.minReplicas ?? 1, max = spec.maxReplicas;
    const history = historyOf(pass, current);
    keep(pass, history);
    if (current === 0) {
      draft.set("ScalingActive", false, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
      return { replicas: 0, reason: "" };
    }
    if (current > max) return { replicas: max, reason: "Current number of replicas above Spec.MaxReplicas" };
    if (current < min) return { replicas: min, reason: "Current number of replicas below Spec.MinReplicas" };

    const { wish, currentMetrics, error } = await propose({ ...pass, scale }, metrics, claims);
    if (!wish) {
      draft.report({ currentReplicas: current, currentMetrics });
      context.recorder.event(autoscaler, "Warning", "FailedComputeMetricsReplicas", error ?? "");
      return undefined;
    }
    if (error) context.log.debug("An autoscaler goes by some of its metrics", { key: pass.key, error });
    const { replicas, stabilized, limited, recommendations } = normalize(spec.behavior, { current, desired: wish.replicas, min, max }, history, monotonic());
    keep(pass, { ...history, recommendations });
    const able = stabilized ?? { reason: "ReadyForNewScale", message: "recommended size matches current size" };
    draft.set("AbleToScale", true, able.reason, able.message);
    draft.set("ScalingLimited", limited.holds, limited.reason, limited.message);
    const reason = wish.replicas > current ? `${wish.metric} above target` : wish.replicas < current ? "All metrics below target" : "";
    return { replicas, reason, currentMetrics };
  }

  /** Whether the target has been given its replicas: the draft says so, or why not. */
  async function rescale(pass: Pass, { card, scale }: { card: AnyResource; scale: Frozen<Scale> }, replicas: number, reason: string): Promise<boolean> {
    const { autoscaler, context, draft, key } = pass, by = replicas - (scale.spec?.replicas ?? 0);
    try {
      await writeScale(context, card, scale, replicas);
    } catch (error) {
      const { message } = error as Error;
      context.recorder.event(autoscaler, "Warning", "FailedRescale", `New size: ${replicas}; reason: ${reason}; error: ${message}`);
      draft.set("AbleToScale", false, "FailedUpdateScale", `the HPA controller was unable to update the target scale: ${message}`);
      return false;
    }
    draft.set("AbleToScale", true, "SucceededRescale", `the HPA controller was able to update the target scale to ${replicas}`);
    context.recorder.event(autoscaler, "Normal", "SuccessfulRescale", `New size: ${replicas}; reason: ${reason}`);
    keep(pass, remember(known.get(key)!.history!, autoscaler.spec.behavior, by, monotonic()));
    return true;
  }

  async function autoscale(pass: Pass): Promise<void> {
    const target = await findScale(pass);
    const decision = target && await decide(pass, target.scale);
    if (!decision) return;
    const { replicas, reason, currentMetrics } = decision, currentReplicas = target.scale.spec?.replicas ?? 0;
    if (replicas === currentReplicas) return pass.draft.report({ currentReplicas, desiredReplicas: currentReplicas, currentMetrics });
    const rescaled = await rescale(pass, target, replicas, reason);
    pass.draft.report({ currentReplicas, ...(rescaled ? { desiredReplicas: replicas } : {}), currentMetrics, rescaled });
  }

  return defineController<HorizontalPodAutoscaler>({
    name: "horizontal-pod-autoscaler", workers: 5,
    // Its status is written here, and says nothing new.
    watches: [watchOf(horizontalpodautoscalers, (current, old) => (current && Bun.deepEquals(current.spec, old?.spec) && current.metadata.uid === old?.metadata.uid ? [] : [keyOf(current ?? old!)]))],
    reads: [pods],
    writes: [
      { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers/status"], verbs: ["update"] }, scaleRule("get", "update"),
      { apiGroups: ["metrics.k8s.io"], resources: ["pods"], verbs: ["list"] }, { apiGroups: ["custom.metrics.k8s.io", "external.metrics.k8s.io"], resources: ["*"], verbs: ["get", "list"] },
    ],
    async reconcile(key, context) {
      const autoscaler = context.lister(horizontalpodautoscalers).get(key);
      if (!autoscaler) {
        known.delete(key);
        claims.forget(splitKey(key));
        return undefined;
      }
      const { uid = "" } = autoscaler.metadata;
      if (known.get(key)?.uid !== uid) {
        known.set(key, { uid });
        return { requeueAfter: period };
      }
      const pass = { autoscaler, key, context, draft: draftOf(autoscaler.status, context.now()) };
      await autoscale(pass);
      await writeStatus(pass);
      return { requeueAfter: period };
    },
  });
}

async function writeScale({ client }: ReconcileContext, card: AnyResource, scale: Frozen<Scale>, replicas: number): Promise<void> {
  const { namespace = "", name = "" } = scale.metadata;
  for (let attempt = 1, latest = scale; ; attempt++) {
    try {
      return await updateScale(client, card, { ...thaw<Scale>(latest), spec: { replicas } });
    } catch (error) {
      if (!isConflict(error) || attempt === updateAttempts) throw error;
      latest = await getScale(client, card, { namespace, name });
    }
  }
}

async function writeStatus({ autoscaler, context, draft: { status } }: Pass): Promise<void> {
  if (Bun.deepEquals(autoscaler.status, status)) return;
  try {
    await context.client.update(horizontalpodautoscalers, { ...thaw<HorizontalPodAutoscaler>(autoscaler), status }, { subresource: "status" });
  } catch (error) {
    context.recorder.event(autoscaler, "Warning", "FailedUpdateStatus", (error as Error).message);
    throw error;
  }
}
