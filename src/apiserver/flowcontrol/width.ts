import type { Exchange } from "../exchange.ts";

/** Objects that one seat's worth of work lists, and the most seats of one request. Source: k8s.io/apiserver/pkg/util/flowcontrol/request/config.go. */
const objectsPerSeat = 100, mostSeats = 10;

/** How many seats a request takes: one, but more for lists of many objects. `count`: how many objects of the resource there are in a namespace, or in all. */
export function widthOf({ info, query }: Exchange, count: (group: string, version: string, resource: string, namespace: string) => number): number {
  if (!info.isResource || info.name !== "" || info.subresource !== "") return 1;
  if (info.verb === "watch" ? !sendsAll(query) : info.verb !== "list" && info.verb !== "deletecollection") return 1;
  const objects = count(info.group, info.version, info.resource, info.namespace);
  const limit = Number(query.get("limit") ?? 0);
  const selects = query.has("labelSelector") || query.has("fieldSelector");
  const read = limit > 0 && !selects && limit < objects ? limit : objects;
  return Math.min(mostSeats, Math.max(1, Math.ceil(read / objectsPerSeat)));
}

/** Whether a watch begins with what is there already. */
function sendsAll(query: URLSearchParams): boolean {
  const version = query.get("resourceVersion") ?? "";
  return query.get("sendInitialEvents") === "true" || version === "" || version === "0";
}
