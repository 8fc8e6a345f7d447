import type { JsonObject } from "../../apimachinery/own.ts";
import { patchType, type Endpoint, type Operation } from "./endpoints.ts";
import { refTo, type Dialect } from "./schemas.ts";

const mediaTypes = ["application/json", "application/yaml", "application/cbor"];
const protobuf = "application/vnd.kubernetes.protobuf";
const patchMediaTypes = ["application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml", "application/apply-patch+cbor"];
const pathTexts: Readonly<Record<string, string>> = { name: "name of the object", namespace: "object name and auth scope, such as for teams and projects" };

/** The path item of an endpoint. */
export function pathItem(endpoint: Endpoint, dialect: Dialect): JsonObject {
  const item: JsonObject = {};
  for (const operation of endpoint.operations) item[operation.method] = operationObject(operation, dialect);
  item.parameters = [
    ...endpoint.pathParameters.map((name) => ({ name, in: "path", required: true, description: pathTexts[name], ...typed("string", dialect) })),
    { name: "pretty", in: "query", description: "If 'true', then the output is laid out for people.", ...typed("string", dialect) },
  ];
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
const formsOf = ({ isCustom }: Operation): readonly string[] => (isCustom ? mediaTypes : [...mediaTypes, protobuf]);
const consumed = (operation: Operation): readonly string[] => (operation.body !== patchType ? formsOf(operation) : operation.isCustom ? customPatchMediaTypes : patchMediaTypes);

const codes: Readonly<Record<Operation["method"], Readonly<Record<string, string>>>> = {
  get: { 200: "OK" }, put: { 200: "OK", 201: "Created" }, patch: { 200: "OK", 201: "Created" }, post: { 200: "OK", 201: "Created", 202: "Accepted" }, delete: { 200: "OK", 202: "Accepted" },
};

/** What an operation answers by status code; `content` says how a body is told. */
function responsesOf({ method, action, response }: Operation, content: (type: string) => JsonObject): JsonObject {
  const offered = action === "deletecollection" ? codes.get : codes[method];
  const told = Object.entries(offered).map(([code, description]) => [code, { description, ...(response ? content(response) : {}) }]);
  return { ...Object.fromEntries(told), 401: { description: "Unauthorized" } };
}

function version2Parts(operation: Operation, query: readonly JsonObject[]): JsonObject {
  const body = operation.body ? [{ name: "body", in: "body", required: operation.method !== "delete", schema: referTo(operation.body, "v2") }] : [];
  return {
    ...(operation.body ? { consumes: consumed(operation) } : {}),
    produces: formsOf(operation),
    ...(body.length + query.length > 0 ? { parameters: [...body, ...query] } : {}),
    responses: responsesOf(operation, (type) => ({ schema: referTo(type, "v2") })),
  };
}

function version3Parts(operation: Operation, query: readonly JsonObject[]): JsonObject {
  const content = (types: readonly string[], type: string): JsonObject => ({ content: Object.fromEntries(types.map((mediaType) => [mediaType, { schema: referTo(type, "v3") }])) });
  return {
    ...(query.length > 0 ? { parameters: query } : {}),
    ...(operation.body ? { requestBody: { ...content(consumed(operation), operation.body), ...(operation.method === "delete" ? {} : { required: true }) } } : {}),
    responses: responsesOf(operation, (type) => content(formsOf(operation), type)),
  };
}
