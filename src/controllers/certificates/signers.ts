import type { CertificateRequest } from "../../apis/certificates/pkcs10.ts";

/** The signers of kube-controller-manager. */
export type SignerName = "kubernetes.io/kube-apiserver-client" | "kubernetes.io/kube-apiserver-client-kubelet" | "kubernetes.io/kubelet-serving" | "kubernetes.io/legacy-unknown";

type Check = (request: CertificateRequest, usages: readonly string[]) => string | undefined;

/** What each signer does not sign, in words; undefined for what it does. Source: kubernetes pkg/apis/certificates/helpers.go, pkg/controller/certificates/signer. */
export const signers: Readonly<Record<SignerName, Check>> = {
  "kubernetes.io/kube-apiserver-client": (_, usages) => {
    const other = usages.find((usage) => !["digital signature", "key encipherment", "client auth"].includes(usage));
    if (other) return `invalid usage for client certificate: ${other}`;
    return usages.includes("client auth") ? undefined : "missing required usage for client certificate: client auth";
  },
  "kubernetes.io/kube-apiserver-client-kubelet": kubeletClient,
  "kubernetes.io/kubelet-serving": (request, usages) => {
    if (!isOfNodes(request)) return notOfNodes;
    if (request.dnsNames.length === 0 && request.ipAddresses.length === 0) return "DNS or IP subjectAltName is required";
    if (request.emailAddresses.length) return "Email subjectAltNames are not allowed";
    if (request.uris.length) return "URI subjectAltNames are not allowed";
    return usageProblem(usages, "server auth") ?? nameProblem(request);
  },
  "kubernetes.io/legacy-unknown": () => undefined,
};

export const isSigner = (name: string): name is SignerName => Object.hasOwn(signers, name);

export function kubeletClient(request: CertificateRequest, usages: readonly string[]): string | undefined {
  if (!isOfNodes(request)) return notOfNodes;
  if (request.dnsNames.length) return "DNS subjectAltNames are not allowed";
  if (request.emailAddresses.length) return "Email subjectAltNames are not allowed";
  if (request.ipAddresses.length) return "IP subjectAltNames are not allowed";
  if (request.uris.length) return "URI subjectAltNames are not allowed";
  return nameProblem(request) ?? usageProblem(usages, "client auth");
}

const notOfNodes = "subject organization is not system:nodes";
const isOfNodes = ({ organizations }: CertificateRequest): boolean => organizations.length === 1 && organizations[0] === "system:nodes";
const nameProblem = ({ commonName }: CertificateRequest): string | undefined => (commonName.startsWith("system:node:") ? undefined : "subject common name does not begin with system:node:");

/** Digital signature and the one asked for; key encipherment is for RSA alone and may be left out. */
function usageProblem(usages: readonly string[], wanted: string): string | undefined {
  const needed = ["digital signature", "key encipherment", wanted];
  const good = new Set(usages).size === usages.length && usages.every((usage) => needed.includes(usage)) && usages.includes(wanted) && usages.includes("digital signature");
  return good ? undefined : `usages did not match [${needed.toSorted().join(" ")}]`;
}
