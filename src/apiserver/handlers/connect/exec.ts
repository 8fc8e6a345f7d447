import type { Frozen } from "../../../apimachinery/meta.ts";
import type { Pod } from "../../../apis/generated/core/v1.ts";
import { isTrue } from "../../request-info.ts";
import { keyOfPath, type ResourceHandler } from "../handler.ts";
import { chooseContainer, hostOf } from "./container.ts";
import { handToNode } from "./node.ts";

/** How the kubelet names the streams that the API calls stdin, stdout, stderr. */
const streamParameters = [["stdin", "input"], ["stdout", "output"], ["stderr", "error"], ["tty", "tty"]] as const;

/** exec and attach: WebSocket by GET, SPDY by POST; the kubelet speaks both. */
function stream(kubeletPath: string): ResourceHandler {
  return async ({ registry, nodes }, exchange, card) => {
    const pod = await registry.get(card, keyOfPath(exchange, card)) as Frozen<Pod>;
    const container = chooseContainer(pod, exchange.query.get("container"));
    const node = hostOf(pod);
    const query = new URLSearchParams();
    for (const [ours, theirs] of streamParameters) if (isTrue(exchange.query.get(ours))) query.set(theirs, "1");
    for (const word of exchange.query.getAll("command")) query.append("command", word);
    await handToNode(nodes, exchange, node, `/${kubeletPath}/${pod.metadata.namespace}/${pod.metadata.name}/${container}`, query);
  };
}

export const exec = stream("exec");
export const attach = stream("attach");

export const portForward: ResourceHandler = async ({ registry, nodes }, exchange, card) => {
  const pod = await registry.get(card, keyOfPath(exchange, card)) as Frozen<Pod>;
  const node = hostOf(pod);
  const ports = exchange.query.getAll("ports").join(",");
  await handToNode(nodes, exchange, node, `/portForward/${pod.metadata.namespace}/${pod.metadata.name}`, ports ? new URLSearchParams({ port: ports }) : "");
};
