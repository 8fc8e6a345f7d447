import type { Frozen } from "../../../apimachinery/meta.ts";
import { parseCertificateRequest } from "../../../apis/certificates/pkcs10.ts";
import type { CertificateSigningRequest } from "../../../apis/generated/certificates/v1.ts";
import type { Authorizer, UserInfo } from "../../attributes.ts";
import { defineAdmission, type Admission } from "../admission.ts";
import { refuse } from "../refuse.ts";

const group = "certificates.k8s.io";
const requests = `certificatesigningrequests.${group}`;
type Request = Frozen<CertificateSigningRequest>;

/** Whether a user may `approve` or `sign` for a signer: by its name, or by `<domain>/*`. */
function mayForSigner(authorizer: Authorizer, user: UserInfo, verb: "approve" | "sign", signerName: string): boolean {
  const names = [signerName, `${signerName.split("/")[0]}/*`];
  return names.some((name) => authorizer.authorize({ user, verb, group, version: "*", resource: "signers", subresource: "", namespace: "", name }).allowed);
}

/** Who approves a request for a certificate must be allowed to for its signer. */
export const certificateApproval = ({ authorizer }: { authorizer: Authorizer }): Admission => defineAdmission({
  name: "CertificateApproval",
  operations: ["UPDATE"],
  resources: [`${requests}/approval`],
  validate(attributes) {
    const { signerName } = (attributes.oldObject as Request).spec;
    if (!mayForSigner(authorizer, attributes.context.user, "approve", signerName)) throw refuse(attributes, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
  },
});

/** Who puts a certificate into the status must be allowed to sign for the signer. */
export const certificateSigning = ({ authorizer }: { authorizer: Authorizer }): Admission => defineAdmission({
  name: "CertificateSigning",
  operations: ["UPDATE"],
  resources: [`${requests}/status`],
  validate(attributes) {
    const old = attributes.oldObject as Request, current = attributes.object as Request;
    if (old.status?.certificate === current.status?.certificate && Bun.deepEquals(old.status?.conditions ?? [], current.status?.conditions ?? [])) return;
    const { signerName } = old.spec;
    if (!mayForSigner(authorizer, attributes.context.user, "sign", signerName)) throw refuse(attributes, `user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`);
  },
});

const clientSigner = "kubernetes.io/kube-apiserver-client";

/** No client certificate makes its owner almighty. */
export const certificateSubjectRestriction = defineAdmission({
  name: "CertificateSubjectRestriction",
  operations: ["CREATE"],
  resources: [requests],
  validate(attributes) {
    const { signerName, request } = (attributes.object as Request).spec;
    if (signerName !== clientSigner) return;
    const parsed = parseCertificateRequest(request);
    if (!parsed) throw refuse(attributes, "failed to parse CSR: PEM block type must be CERTIFICATE REQUEST");
    if (parsed.organizations.includes("system:masters")) throw refuse(attributes, `use of ${clientSigner} signer with system:masters group is not allowed`);
  },
});
