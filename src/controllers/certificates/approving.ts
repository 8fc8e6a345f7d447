import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { subjectaccessreviews } from "../../apis/authorization/accessreviews.ts";
import { certificatesigningrequests } from "../../apis/certificates/certificatesigningrequest.ts";
import { parseCertificateRequest } from "../../apis/certificates/pkcs10.ts";
import type { SubjectAccessReview } from "../../apis/generated/authorization/v1.ts";
import type { CertificateSigningRequest, CertificateSigningRequestSpec } from "../../apis/generated/certificates/v1.ts";
import { defineController, watchOf, type Listers, type ReconcileContext } from "../../client/controller.ts";
import { clusterrolebindings, clusterroles } from "../../apis/builtins.ts";
import { kubeletClient } from "./signers.ts";

const recognized = [
  { subresource: "selfnodeclient", own: true, message: "Auto approving self kubelet client certificate after SubjectAccessReview." },
  { subresource: "nodeclient", own: false, message: "Auto approving kubelet client certificate after SubjectAccessReview." },
];

/** Approves client certificates of kubelets that may ask for one: their own to renew it, or any node's when joining. Source: kubernetes pkg/controller/certificates/approver. */
export const certificateApproving = defineController({
  name: "csrapproving", for: certificatesigningrequests,
  // Who may ask for what is asked again when that changes.
  watches: [watchOf(clusterroles, (_current, _old, { lister }) => openRequests(lister)), watchOf(clusterrolebindings, (_current, _old, { lister }) => openRequests(lister))],
  writes: [
    { apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests/approval"], verbs: ["update"] },
    { apiGroups: ["certificates.k8s.io"], resources: ["signers"], resourceNames: ["kubernetes.io/kube-apiserver-client-kubelet"], verbs: ["approve"] },
    { apiGroups: ["authorization.k8s.io"], resources: ["subjectaccessreviews"], verbs: ["create"] },
  ],
  async reconcile(name, context) {
    const request = context.lister(certificatesigningrequests).get(name);
    if (!request || !isOpen(request)) return;
    const parsed = parseCertificateRequest(request.spec.request);
    if (!parsed || kubeletClient(parsed, request.spec.usages ?? [])) return;
    for (const { subresource, own, message } of recognized) {
      if (own && request.spec.username !== parsed.commonName) continue;
      if (!await mayCreate(context, thaw<CertificateSigningRequest>(request).spec, subresource)) continue;
      const approved = thaw<CertificateSigningRequest>(request);
      approved.status = { ...approved.status, conditions: [...approved.status?.conditions ?? [], { type: "Approved", status: "True", reason: "AutoApproved", message }] };
      await context.client.update(certificatesigningrequests, approved, { subresource: "approval" });
      return;
    }
  },
});

/** One for a kubelet's client certificate that nobody has decided on. */
const isOpen = ({ spec, status }: Frozen<CertificateSigningRequest>): boolean =>
  spec.signerName === "kubernetes.io/kube-apiserver-client-kubelet" && !status?.certificate && !(status?.conditions ?? []).some(({ type }) => type === "Approved" || type === "Denied");

const openRequests = (lister: Listers): string[] => lister(certificatesigningrequests).list().filter(isOpen).map(({ metadata }) => metadata.name!);

async function mayCreate({ client }: ReconcileContext, { username, uid, groups, extra }: CertificateSigningRequestSpec, subresource: string): Promise<boolean> {
  const review = await client.create<SubjectAccessReview>(subjectaccessreviews, {
    metadata: {},
    spec: {
      user: username, ...(uid ? { uid } : {}), groups, ...(extra ? { extra } : {}),
      resourceAttributes: { group: "certificates.k8s.io", resource: "certificatesigningrequests", verb: "create", subresource, version: "*" },
    },
  });
  return review.status?.allowed ?? false;
}
