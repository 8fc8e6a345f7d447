import type { JsonObject } from "../../apimachinery/own.ts";
import { patchType, type Endpoint, type Operation } from "./endpoints.ts";
import { refTo, type Dialect } from "./schemas.ts";

const mediaTypes = ["application/json", "application/yaml"];
const patchMediaTypes = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"];
const pathTexts: Readonly<Record<string, string>> = { name: "name of the object", namespace: "object name and auth scope, such as for teams and projects" };

/** The path item of an endpoint. */
export function pathItem(endpoint: Endpoint, dialect: Dialect): JsonObject {
  const item: JsonObject = {};
  for (const operation of endpoint.operations) item[operation.method] = operationObject(operation, dialect);
  if (endpoint.pathParameters.length > 0) {
    item.parameters = endpoint.pathParameters.map((name) => ({ name, in: "path", required: true, description: pathTexts[name], ...typed("string", dialect) }));
  }
  return item;
}

/** A parameter's type: in a schema of its own since version 3. */
const typed = (type: string, dialect: Dialect): JsonObject => (dialect === "v2" ? { type, uniqueItems: true } : { schema: { type, uniqueItems: true } });

function operationObject(operation: Operation, dialect: Dialect): JsonObject {
  const query = operation.query.map(({ name, type, description }) => ({ name, in: "query", description, ...typed(type, dialect) }));
  return {
    operationId: operation.id,
    ...(dialect === "v2" ? version2Parts(operation, query) : version3Parts(operation, query)),
    "x-kubernetes-action": operation.action,
    "x-kubernetes-group-version-kind": operation.kind,
  };
}

const referTo = (type: string, dialect: Dialect): JsonObject => ({ $ref: refTo(dialect, type) });
/** Custom resources have no strategic merge; kubectl looks here before it patches. */
const customPatchMediaTypes = patchMediaTypes.filter((type) => !type.includes("strategic"));
const consumed = ({ body, isCustom }: Operation): readonly string[] => (body !== patchType ? mediaTypes : isCustom ? customPatchMediaTypes : patchMediaTypes);
const okay = (operation: Operation): JsonObject => ({ description: operation.method === "post" ? "Created" : "OK" });
const code = (operation: Operation): string => (operation.method === "post" ? "201" : "200");

function version2Parts(operation: Operation, query: readonly JsonObject[]): JsonObject {
  const body = operation.body ? [{ name: "body", in: "body", required: operation.method !== "delete", schema: referTo(operation.body, "v2") }] : [];
  return {
    ...(operation.body ? { consumes: consumed(operation) } : {}),
    produces: mediaTypes,
    parameters: [...body, ...query],
    responses: { [code(operation)]: { ...okay(operation), ...(operation.response ? { schema: referTo(operation.response, "v2") } : {}) }, 401: { description: "Unauthorized" } },
  };
}

function version3Parts(operation: Operation, query: readonly JsonObject[]): JsonObject {
  const content = (types: readonly string[], type: string): JsonObject => ({ content: Object.fromEntries(types.map((mediaType) => [mediaType, { schema: referTo(type, "v3") }])) });
  return {
    parameters: query,
    ...(operation.body ? { requestBody: { ...content(consumed(operation), operation.body), ...(operation.method === "delete" ? {} : { required: true }) } } : {}),
    responses: { [code(operation)]: { ...okay(operation), ...(operation.response ? content(mediaTypes, operation.response) : {}) }, 401: { description: "Unauthorized" } },
  };
}
