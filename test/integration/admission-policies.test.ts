import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { AnyResource } from "../../src/apimachinery/resource.ts";
import { mutatingadmissionpolicies, mutatingadmissionpolicybindings, namespaces, serviceaccounts, validatingadmissionpolicies, validatingadmissionpolicybindings } from "../../src/apis/builtins.ts";
import type { MatchResources, MutatingAdmissionPolicy, Mutation, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding, Validation } from "../../src/apis/generated/admissionregistration/v1.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";

let server: TestApiServer;
let round = 0;

beforeAll(async () => {
  server = await startApiServer();
  for (const name of ["policed", "free"]) {
    await server.client().create(namespaces, { metadata: { name }, spec: {} });
    await server.client().create(serviceaccounts, { metadata: { name: "default", namespace: name } });
  }
});
afterAll(() => server.stop());
afterEach(async () => {
  const cards: readonly AnyResource[] = [validatingadmissionpolicies, validatingadmissionpolicybindings, mutatingadmissionpolicies, mutatingadmissionpolicybindings];
  for (const card of cards) await server.client().deleteCollection(card);
});

const matchConstraints: MatchResources = {
  resourceRules: [{ operations: ["CREATE", "UPDATE"], apiGroups: ["", "apps"], apiVersions: ["v1"], resources: ["configmaps", "deployments"] }],
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "policed" } },
};

async function refuse(validations: Validation[], spec: Partial<ValidatingAdmissionPolicy["spec"]> = {}, binding: Partial<ValidatingAdmissionPolicyBinding["spec"]> = {}): Promise<void> {
  await server.client().create(validatingadmissionpolicies, { metadata: { name: "p" }, spec: { matchConstraints, validations, ...spec } } as ValidatingAdmissionPolicy);
  await server.client().create(validatingadmissionpolicybindings, { metadata: { name: "b" }, spec: { policyName: "p", validationActions: ["Deny"], ...binding } });
}

async function change(name: string, mutations: Mutation[], spec: Partial<MutatingAdmissionPolicy["spec"]> = {}): Promise<void> {
  await server.client().create(mutatingadmissionpolicies, { metadata: { name }, spec: { matchConstraints, mutations, reinvocationPolicy: "Never", ...spec } } as MutatingAdmissionPolicy);
  await server.client().create(mutatingadmissionpolicybindings, { metadata: { name }, spec: { policyName: name } });
}

const apply = (expression: string): Mutation => ({ patchType: "ApplyConfiguration", applyConfiguration: { expression } });
const patch = (expression: string): Mutation => ({ patchType: "JSONPatch", jsonPatch: { expression } });

async function send(path: string, body: object): Promise<{ code: number; warning: string | null; message: string; object: Record<string, any> }> {
  const answer = await server.fetch(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const object = await answer.json() as Record<string, any>;
  return { code: answer.status, warning: answer.headers.get("warning"), message: object.message as string, object };
}
const createIn = (namespace: string, data: Record<string, string> = { a: "b" }) => send(`/api/v1/namespaces/${namespace}/configmaps`, { metadata: { name: `c${round++}` }, data });
const deployment = { metadata: { name: "d" }, spec: { replicas: 5, selector: { matchLabels: { a: "b" } }, template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } } } };
const createDeployment = () => send("/apis/apps/v1/namespaces/policed/deployments?dryRun=All", deployment);
const said = (text: string): string => `ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ${text}`;

describe("validating policies", () => {
  test("refuse from the moment they are stored, and no longer when they are gone", async () => {
    await refuse([{ expression: "object.data.a == 'x'" }]);
    const { code, object } = await createIn("policed");
    expect(code).toBe(422);
    expect(object).toMatchObject({ reason: "Invalid", message: expect.stringContaining(said("failed expression: object.data.a == 'x'")), details: { kind: "configmaps", causes: [{ message: said("failed expression: object.data.a == 'x'") }] } });
    expect((await createIn("free")).code).toBe(201);
    expect((await createIn("policed", { a: "x" })).code).toBe(201);
    await server.client().delete(validatingadmissionpolicybindings, { name: "b" });
    expect((await createIn("policed")).code).toBe(201);
  });

  test.each<[string, Validation[], Partial<ValidatingAdmissionPolicy["spec"]>, string]>([
    ["say what the message expression says", [{ expression: "false", message: "no", messageExpression: "'got ' + string(object.data.a)" }], {}, "got b"],
    ["say the message when the expression fails", [{ expression: "false", message: "no", messageExpression: "string(object.nope)" }], {}, "no"],
    ["see their own variables", [{ expression: "variables.b != 'b!'" }], { variables: [{ name: "a", expression: "object.data.a" }, { name: "b", expression: "variables.a + '!'" }] }, "failed expression: variables.b != 'b!'"],
    ["fail closed", [{ expression: "object.nope.x == 1" }], {}, "expression 'object.nope.x == 1' resulted in error: no such key: nope"],
    ["stop at the budget", [{ expression: "lists.range(200).all(a, lists.range(200).all(b, lists.range(200).all(c, a + b + c >= 0)))" }], {}, "expression 'lists.range(200).all(a, lists.range(200).all(b, lists.range(200).all(c, a + b + c >= 0)))' resulted in error: operation cancelled: actual cost limit exceeded"],
    ["ask the authorizer", [{ expression: "authorizer.serviceAccount('policed', 'default').group('').resource('secrets').check('get').allowed()" }], {}, "failed expression: authorizer.serviceAccount('policed', 'default').group('').resource('secrets').check('get').allowed()"],
    ["see the namespace and the request", [{ expression: "namespaceObject.metadata.name + request.operation + request.namespace != 'policedCREATEpoliced'" }], {}, "failed expression: namespaceObject.metadata.name + request.operation + request.namespace != 'policedCREATEpoliced'"],
    ["fail with their conditions", [{ expression: "true" }], { matchConditions: [{ name: "a", expression: "object.nope" + " == 1" }] }, "expression 'object.nope == 1' resulted in error: no such key: nope"],
  ])("%s", async (_, validations, spec, message) => {
    await refuse(validations, spec);
    expect((await createIn("policed")).message).toEndWith(said(message));
  });

  test("are open where failurePolicy says so, and not asked where a condition is false", async () => {
    await refuse([{ expression: "object.nope.x == 1" }], { failurePolicy: "Ignore" });
    expect((await createIn("policed")).code).toBe(201);
    await server.client().deleteCollection(validatingadmissionpolicies);
    await server.client().deleteCollection(validatingadmissionpolicybindings);
    await refuse([{ expression: "false" }], { matchConditions: [{ name: "no", expression: "object.data.a == 'other'" }] });
    expect((await createIn("policed")).code).toBe(201);
  });

  test("warn where the binding wants that", async () => {
    await refuse([{ expression: "false", message: "mind this" }], {}, { validationActions: ["Warn", "Audit"] });
    const { code, warning } = await createIn("policed");
    expect([code, warning]).toEqual([201, `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': mind this"`]);
  });

  test("take parameters", async () => {
    const paramKind = { apiVersion: "v1", kind: "ConfigMap" };
    await send("/api/v1/namespaces/free/configmaps", { metadata: { name: "limits", labels: { is: "param" } }, data: { most: "1" } });
    await refuse([{ expression: "object.data.size() <= int(params.data.most)", messageExpression: "'at most ' + string(params.data.most)" }], { paramKind }, { paramRef: { name: "limits", namespace: "free", parameterNotFoundAction: "Deny" } });
    expect((await createIn("policed")).code).toBe(201);
    expect((await createIn("policed", { a: "1", b: "2" })).message).toEndWith(said("at most 1"));
    await server.client().deleteCollection(validatingadmissionpolicybindings);
    const selected = { policyName: "p", validationActions: ["Deny" as const], paramRef: { namespace: "free", selector: { matchLabels: { is: "param" } }, parameterNotFoundAction: "Deny" as const } };
    await server.client().create(validatingadmissionpolicybindings, { metadata: { name: "b" }, spec: selected });
    expect((await createIn("policed", { a: "1", b: "2" })).message).toEndWith(said("at most 1"));
    await server.client().deleteCollection(validatingadmissionpolicybindings);
    await server.client().create(validatingadmissionpolicybindings, { metadata: { name: "b" }, spec: { ...selected, paramRef: { name: "gone", parameterNotFoundAction: "Deny" } } });
    expect((await createIn("policed")).message).toEndWith(said("failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction"));
  });

  test("are refused themselves when an expression does not compile", async () => {
    const spec = { matchConstraints, validations: [{ expression: "1 +" }, { expression: "object.spec" }, { expression: "true", messageExpression: "authorizer.foo" }] };
    const { code, object } = await send("/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies", { metadata: { name: "bad" }, spec });
    expect(code).toBe(422);
    expect((object.details as { causes: { message: string }[] }).causes.map(({ message }) => message)).toEqual([
      expect.stringContaining("compilation failed: ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting"),
      'Invalid value: "object.spec": must evaluate to bool but got dyn',
      expect.stringContaining("undeclared reference to 'authorizer' (in container '')"),
    ]);
  });
});

describe("mutating policies", () => {
  test("apply configurations, merged as server-side apply merges", async () => {
    await change("p", [apply("Object{spec: Object.spec{replicas: object.spec.replicas + 1, template: Object.spec.template{spec: Object.spec.template.spec{containers: [Object.spec.template.spec.containers{name: 'c', image: 'j'}, Object.spec.template.spec.containers{name: 'z', image: 'k'}]}}}}")]);
    const { object } = await createDeployment();
    expect(object.spec).toMatchObject({ replicas: 6, template: { spec: { containers: [{ name: "c", image: "j" }, { name: "z", image: "k", terminationMessagePath: "/dev/termination-log" }] } } });
  });

  test("apply JSON patches", async () => {
    await change("p", [patch("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'x': 'y'}}, JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('example.com/a'), value: object.data.a}]")]);
    expect((await createIn("policed")).object.metadata.labels).toEqual({ x: "y", "example.com/a": "b" });
    expect((await createIn("free")).object.metadata.labels).toBeUndefined();
  });

  test("leave the object alone when a test fails", async () => {
    await change("p", [patch("[JSONPatch{op: 'add', path: '/data/k', value: 'v'}, JSONPatch{op: 'test', path: '/data/a', value: 'no'}]")]);
    expect((await createIn("policed")).object.data).toEqual({ a: "b" });
  });

  test.each([
    [apply("Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {'a': 'b'}}}}"), "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector"],
    [apply("Object{spec: Object.spec{nope: 1}}"), "error applying patch: failed to convert patch object to typed object: .spec.nope: field not declared in schema"],
    [apply("Object{spec: Object.specs{replicas: 1}}"), 'type mismatch: unexpected type name "Object.specs", expected "Object.spec", which matches field name path from root Object type'],
    [apply("Object{metadata: Object.metadata{labels: {'k': string(object.nope)}}}"), "expression 'Object{metadata: Object.metadata{labels: {'k': string(object.nope)}}}' resulted in error: no such key: nope"],
    [patch("[JSONPatch{op: 'add', path: '/nope/k', value: 'v'}]"), 'JSON Patch: add operation does not apply: doc is missing path: "/nope/k": missing value'],
  ])("refuse what they can't do: %p", async (mutation, message) => {
    await change("p", [mutation]);
    const { code, message: answered, object } = await createDeployment();
    expect([code, answered, object.reason]).toEqual([403, `policy 'p' with binding 'p' denied request: ${message}`, "Invalid"]);
  });

  test("are called again after a later one has changed something", async () => {
    await change("a", [apply("Object{data: {'first': string(has(object.data.second))}}")], { reinvocationPolicy: "IfNeeded" });
    await change("b", [apply("Object{data: {'second': string(has(object.data.first))}}")]);
    expect((await createIn("policed")).object.data).toEqual({ a: "b", first: "true", second: "true" });
  });

  test("come before validating ones", async () => {
    await change("p", [apply("Object{data: {'k': 'v'}}")]);
    await refuse([{ expression: "!has(object.data.k)" }]);
    expect((await createIn("policed")).message).toEndWith(said("failed expression: !has(object.data.k)"));
  });
});
