import { forbiddenField, invalidValue, type FieldError } from "../../../apimachinery/field-errors.ts";
import type { Frozen } from "../../../apimachinery/meta.ts";
import { invalid } from "../../../apimachinery/status.ts";
import type { Pod } from "../../../apis/generated/core/v1.ts";
import { reply } from "../../exchange.ts";
import { isTrue } from "../../request-info.ts";
import { keyOfPath, type ResourceHandler } from "../handler.ts";
import { integer } from "../options.ts";
import { chooseContainer } from "./container.ts";
import { streamedAsMessages } from "./log-websocket.ts";
import { askNode } from "./node.ts";

const flags = ["follow", "previous", "timestamps"];
const values = ["sinceSeconds", "sinceTime", "tailLines", "limitBytes", "stream"];

/** A container's log, as text, from its node. Empty while the pod has no node. */
export const log: ResourceHandler = async ({ registry, nodes }, exchange, card) => {
  const errors = validate(exchange.query);
  if (errors.length > 0) throw invalid({ group: "", kind: "PodLogOptions" }, exchange.info.name, errors);
  const pod = await registry.get(card, keyOfPath(exchange, card)) as Frozen<Pod>;
  const container = chooseContainer(pod, exchange.query.get("container"));
  if (!pod.spec.nodeName) return reply(exchange, 204, {});
  const query = new URLSearchParams();
  for (const name of flags) if (isTrue(exchange.query.get(name))) query.set(name, "true");
  for (const name of values) {
    const value = exchange.query.get(name);
    if (value) query.set(name, value);
  }
  await askNode(nodes, streamedAsMessages(exchange), pod.spec.nodeName, `/containerLogs/${pod.metadata.namespace}/${pod.metadata.name}/${container}`, query);
};

/** Source: k8s.io/kubernetes/pkg/apis/core/validation ValidatePodLogOptions. */
function validate(query: URLSearchParams): FieldError[] {
  const errors: FieldError[] = [];
  const atLeast = (name: string, least: number): void => {
    const value = integer(query, name);
    if (value !== undefined && value < least) errors.push(invalidValue(name, value, `must be greater than ${least === 0 ? "or equal to " : ""}0`));
  };
  atLeast("tailLines", 0);
  atLeast("limitBytes", 1);
  atLeast("sinceSeconds", 1);
  if (query.get("sinceSeconds") && query.get("sinceTime")) errors.push(forbiddenField("", "at most one of `sinceTime` or `sinceSeconds` may be specified"));
  return errors;
}
