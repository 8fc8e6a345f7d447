import { randomUUID } from "node:crypto";
import type { Frozen, KubeObject, ObjectMeta } from "../../apimachinery/meta.ts";
import { isObject } from "../../apimachinery/own.ts";
import { internalError } from "../../apimachinery/status.ts";
import { validateAnnotations, validateLabels } from "../../apimachinery/validation/object-meta.ts";
import { render } from "../../apimachinery/field-errors.ts";
import type { ConversionReview, WebhookClientConfig, WebhookConversion } from "../../apis/generated/apiextensions/v1.ts";
import type { Converter } from "./converter.ts";

/** Posts JSON to where a webhook is. Rejects with what went wrong, in Go's words. */
export interface WebhookCaller {
  post(client: Frozen<WebhookClientConfig>, body: object, options: { timeoutSeconds: number }): Promise<unknown>;
}

const timeoutSeconds = 30;

/** Strategy Webhook: one ConversionReview for all that need it. Source: k8s.io/apiextensions-apiserver pkg/apiserver/conversion. */
export function webhookConverter({ webhook, group, webhooks }: { webhook: Frozen<WebhookConversion>; group: string; webhooks: WebhookCaller }): Converter {
  return (objects, apiVersion) => {
    const others = objects.filter((object) => object.apiVersion !== apiVersion);
    return others.length === 0 ? objects : convertOthers(objects, others, apiVersion);
  };

  async function convertOthers(objects: readonly Frozen<KubeObject>[], others: readonly Frozen<KubeObject>[], apiVersion: string): Promise<readonly Frozen<KubeObject>[]> {
    const { kind = "", apiVersion: from = "" } = others[0]!;
    const about = `conversion webhook for ${group}/${from.slice(from.indexOf("/") + 1)}, Kind=${kind}`;
    const converted = await review(others, apiVersion).catch((error: unknown) => {
      throw internalErrorOf(`${about} failed: ${(error as Error).message}`);
    });
    if (converted.length !== others.length) throw internalErrorOf(`${about} returned ${converted.length} objects, expected ${others.length}`);
    let next = 0;
    return objects.map((object) => {
      if (object.apiVersion === apiVersion) return object;
      const result = takeConverted(object, converted[next], apiVersion);
      if (typeof result === "string") throw internalErrorOf(`${about} returned invalid ${objects.length === 1 ? result : result.replace(/^object/, `converted object at index ${next}`)}`);
      next++;
      return result as Frozen<KubeObject>;
    });
  }

  async function review(objects: readonly Frozen<KubeObject>[], desiredAPIVersion: string): Promise<unknown[]> {
    const version = webhook.conversionReviewVersions.find((each) => each === "v1" || each === "v1beta1");
    if (!version) throw new Error("no supported conversion review versions");
    const uid = randomUUID(), apiVersion = `apiextensions.k8s.io/${version}`;
    const answer = await webhooks.post(webhook.clientConfig!, { kind: "ConversionReview", apiVersion, request: { uid, desiredAPIVersion, objects } }, { timeoutSeconds });
    return convertedObjects(answer, version, uid);
  }
}

/** What a client is told of a conversion that failed. */
const internalErrorOf = (message: string): Error => {
  const error = internalError(new Error(message));
  // Kubernetes hands the converter's error through as it is.
  error.status.message = message;
  delete error.status.details;
  delete error.status.reason;
  return Object.assign(error, { message });
};

function convertedObjects(answer: unknown, version: string, uid: string): unknown[] {
  const { kind = "", apiVersion = "", response } = (isObject(answer) ? answer : {}) as Partial<ConversionReview>;
  if (version === "v1" && (kind !== "ConversionReview" || apiVersion !== "apiextensions.k8s.io/v1")) {
    throw new Error(`expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${apiVersion.includes("/") ? apiVersion : `/${apiVersion}`}, Kind=${kind}`);
  }
  if (!response) throw new Error("no response provided");
  if (version === "v1" && response.uid !== uid) throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`);
  const { status = "", message = "" } = response.result ?? {};
  if (status !== "Success") throw new Error(message || `response.result.status was '${status}', not 'Success'`);
  return response.convertedObjects ?? [];
}

/** The converted object with the metadata of the original but for labels and annotations; or what is wrong with it. */
function takeConverted(original: Frozen<KubeObject>, converted: unknown, apiVersion: string): KubeObject | string {
  const object = (isObject(converted) ? converted : {}) as Partial<KubeObject>;
  if (object.apiVersion !== apiVersion) return `object: invalid groupVersion (expected ${apiVersion}, received ${object.apiVersion ?? ""})`;
  if (object.kind !== original.kind) return `object: invalid kind (expected ${original.kind}, received ${object.kind ?? ""})`;
  const { metadata } = object;
  if (metadata === undefined) return "object: must have the same name: " + `${original.metadata.name} != `;
  if (!isObject(metadata)) return `metadata: invalid metadata of type ${typeof metadata} in converted object`;
  for (const [field, title] of [["name", "name"], ["namespace", "namespace"], ["uid", "UID"]] as const) {
    if ((metadata[field] ?? "") !== (original.metadata[field] ?? "")) return `object: must have the same ${title}: ${original.metadata[field] ?? ""} != ${String(metadata[field] ?? "")}`;
  }
  const { labels, annotations } = metadata as ObjectMeta;
  const errors = [...validateLabels(labels ?? {}, "metadata.labels"), ...validateAnnotations(annotations ?? {}, "metadata.annotations")];
  if (errors.length > 0) return `metadata: ${errors.map(render).join(", ")}`;
  const { labels: _1, annotations: _2, ...kept } = original.metadata;
  return { ...object, metadata: { ...kept, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) } as ObjectMeta };
}
