import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, humanDuration, nameColumn, type WriteContext } from "../../apimachinery/resource.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "../generated/certificates/v1.ts";
import { exampleRequest } from "./example-request.ts";
import { validateChange, validateRequest } from "./validation.ts";
export type { CertificateSigningRequest } from "../generated/certificates/v1.ts";

export const certificatesigningrequests = defineResource<CertificateSigningRequest>({
  group: "certificates.k8s.io", version: "v1", kind: "CertificateSigningRequest", resource: "certificatesigningrequests", scope: "Cluster", shortNames: ["csr"],
  subresources: { status: true, others: ["approval"] },
  schema: "io.k8s.api.certificates.v1.CertificateSigningRequest",
  default(request) {
    request.spec ??= { request: "", signerName: "" };
    request.status ??= {};
  },
  strategy: {
    resetFields: { "": [["spec"], ["status"]], status: [["spec"], ["status", "conditions"]], approval: [["spec"], ["status", "certificate"]] },
    prepareForCreate: prepareRequest,
    prepareForUpdate(request, old) {
      request.spec = structuredClone(old.spec) as CertificateSigningRequest["spec"];
    },
    prepareForStatusUpdate(request, old, context) {
      for (const type of ["Approved", "Denied"]) keepConditions(request, old, type);
      stampConditions(request, old, context);
    },
    views: { approval: { prepareForUpdate: stampConditions, validateUpdate: validateChange({ approval: true }) } },
    validate: (request) => validateRequest(request),
    validateUpdate: validateChange({}),
    validateStatusUpdate: validateChange({ certificate: true }),
  },
  fieldSelectors: { "spec.signerName": ({ spec }) => spec.signerName ?? "" },
  columns: [
    nameColumn(),
    ageColumn(),
    { name: "SignerName", type: "string", description: "Requested signer for the request. It is a qualified name in the form: `scope-hostname.io/name`. If empty, it will be defaulted:\n 1. If it's a kubelet client certificate, it is assigned\n    \"kubernetes.io/kube-apiserver-client-kubelet\".\n 2. If it's a kubelet serving certificate, it is assigned\n    \"kubernetes.io/kubelet-serving\".\n 3. Otherwise, it is assigned \"kubernetes.io/legacy-unknown\".\nDistribution of trust for signers happens out of band. You can select on this field using `spec.signerName`.", value: ({ spec }) => spec.signerName || "<none>" },
    { name: "Requestor", type: "string", description: "Base64-encoded PKCS#10 CSR data", value: ({ spec }) => spec.username ?? "" },
    { name: "RequestedDuration", type: "string", description: "expirationSeconds is the requested duration of validity of the issued certificate. The certificate signer may issue a certificate with a different validity duration so a client must check the delta between the notBefore and and notAfter fields in the issued certificate to determine the actual duration.\n\nThe v1.22+ in-tree implementations of the well-known Kubernetes signers will honor this field as long as the requested duration is not greater than the maximum duration they will honor per the --cluster-signing-duration CLI flag to the Kubernetes controller manager.\n\nCertificate signers may not honor this field for various reasons:\n\n  1. Old signer that is unaware of the field (such as the in-tree\n     implementations prior to v1.22)\n  2. Signer whose configured maximum is shorter than the requested duration\n  3. Signer whose configured minimum is longer than the requested duration\n\nThe minimum valid value for expirationSeconds is 600, i.e. 10 minutes.", value: ({ spec }) => (spec.expirationSeconds === undefined ? "<none>" : humanDuration(spec.expirationSeconds * 1000)) },
    { name: "Condition", type: "string", description: "Conditions applied to the request, such as approval or denial.", value: stateOf },
  ],
  validateName: () => [],
  example: () => ({
    apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest", metadata: { name: "example" },
    spec: { request: exampleRequest, signerName: "skiff.example.com/example", usages: ["client auth"] },
  }),
});

/** Who asks is what the server knows, not what the request says. */
function prepareRequest(request: CertificateSigningRequest, { user }: WriteContext): void {
  const { username: _, uid: __, groups: ___, extra: ____, ...spec } = request.spec;
  delete request.metadata.generation;
  request.status = {};
  request.spec = {
    ...spec, ...(user.name ? { username: user.name } : {}), ...(user.uid ? { uid: user.uid } : {}), ...(user.groups.length > 0 ? { groups: [...user.groups] } : {}),
    ...(Object.keys(user.extra ?? {}).length > 0 ? { extra: Object.fromEntries(Object.entries(user.extra!).map(([key, values]) => [key, [...values]])) } : {}),
  };
}

/** Approvals are not for the status to change: as many as there were are as they were. */
function keepConditions(request: CertificateSigningRequest, old: Frozen<CertificateSigningRequest>, type: string): void {
  const conditions = request.status?.conditions ?? [], was = (old.status?.conditions ?? []).filter((condition) => condition.type === type);
  const places = conditions.flatMap((condition, index) => (condition.type === type ? [index] : []));
  if (places.length === was.length) places.forEach((place, index) => { conditions[place] = structuredClone(was[index]) as CertificateSigningRequestCondition; });
}

function stampConditions(request: CertificateSigningRequest, old: Frozen<CertificateSigningRequest>, { now }: WriteContext): void {
  const time = formatTime(now);
  for (const condition of request.status?.conditions ?? []) {
    condition.lastUpdateTime ??= time;
    condition.lastTransitionTime ??= old.status?.conditions?.find(({ type, status, lastTransitionTime }) => type === condition.type && status === condition.status && lastTransitionTime)?.lastTransitionTime ?? time;
  }
}

function stateOf({ status }: Frozen<CertificateSigningRequest>): string {
  const has = (wanted: string): boolean => (status?.conditions ?? []).some(({ type }) => type === wanted);
  return [has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending", ...(has("Failed") ? ["Failed"] : []), ...(status?.certificate ? ["Issued"] : [])].join(",");
}
