import { expect, test } from "bun:test";
import { resourceclaims, resourceclaimtemplates } from "../../../apis/builtins.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { deviceAdminAccess } from "./device-admin-access.ts";

const plugin = deviceAdminAccess({ listers: listersOf({ namespaces: [{ metadata: { name: "ops", labels: { "resource.kubernetes.io/admin-access": "true" } } }, { metadata: { name: "team" } }] }) });
const devices = (adminAccess: boolean) => ({ requests: [{ name: "plain", exactly: { deviceClassName: "a" } }, { name: "admin", exactly: { deviceClassName: "a", ...(adminAccess ? { adminAccess } : {}) } }] });
const claim = (namespace: string, adminAccess: boolean) => ({ metadata: { name: "x", namespace }, spec: { devices: devices(adminAccess) } });
const template = (namespace: string) => ({ metadata: { name: "x", namespace }, spec: { spec: { devices: devices(true) } } });
const refusal = "is invalid: spec.devices.requests[1].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace";

test.each([
  ["a plain claim", attributesOf(resourceclaims, { object: claim("team", false) }), ""],
  ["admin access in any namespace", attributesOf(resourceclaims, { object: claim("team", true) }), `422 ResourceClaim.resource.k8s.io "x" ${refusal}`],
  ["admin access in a namespace for it", attributesOf(resourceclaims, { object: claim("ops", true) }), ""],
  ["a template's admin access", attributesOf(resourceclaimtemplates, { object: template("team") }), `422 ResourceClaimTemplate.resource.k8s.io "x" ${refusal}`],
])("%s", async (_, attributes, expected) => expect(await run(plugin, attributes)).toBe(expected));
