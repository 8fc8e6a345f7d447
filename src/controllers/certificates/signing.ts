import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { certificatesigningrequests } from "../../apis/certificates/certificatesigningrequest.ts";
import { parseCertificateRequest, type CertificateRequest } from "../../apis/certificates/pkcs10.ts";
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from "../../apis/generated/certificates/v1.ts";
import { defineController, type Controller } from "../../client/controller.ts";
import { isSigner, signers, type SignerName } from "./signers.ts";

export interface Signing {
  request: CertificateRequest;
  usages: readonly string[];
  notBefore: Date;
  notAfter: Date;
}

/** Signs with the key of a signer's CA: the certificate in PEM. The validity is cut where the CA's own ends. */
export type Sign = (signer: SignerName, signing: Signing) => Promise<string>;

const minute = 60_000;
/** Kubernetes' --cluster-signing-duration, and the least that is given. */
const longest = 365 * 24 * 60 * minute, shortest = 10 * minute;
/** Certificates begin a little ago, for clocks differ; short ones end no earlier for that. */
const backdate = 5 * minute, short = 8 * 60 * minute;

/** Gives approved requests of Kubernetes' own signers their certificate. Source: kubernetes pkg/controller/certificates/signer. */
export function certificateSigningController({ sign }: { sign: Sign }): Controller {
  return defineController({
    name: "csrsigning", for: certificatesigningrequests,
    writes: [
      { apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests/status"], verbs: ["update"] },
      { apiGroups: ["certificates.k8s.io"], resources: ["signers"], resourceNames: Object.keys(signers), verbs: ["sign"] },
    ],
    async reconcile(name, { client, lister, now }) {
      const request = lister(certificatesigningrequests).get(name);
      if (!request || !isSigner(request.spec.signerName) || !isApproved(request) || has(request, "Failed") || request.status?.certificate) return;
      const parsed = parseCertificateRequest(request.spec.request);
      if (!parsed) return;
      const usages = request.spec.usages ?? [];
      const problem = signers[request.spec.signerName](parsed, usages) ?? (await parsed.verify() ? undefined : "unable to verify certificate request signature");
      const status = problem === undefined
        ? { certificate: Buffer.from(await sign(request.spec.signerName, { request: parsed, usages, ...validity(request.spec.expirationSeconds, now()) })).toString("base64") }
        : { conditions: [...thaw<CertificateSigningRequestCondition[]>(request.status?.conditions as CertificateSigningRequestCondition[] ?? []), failure(problem)] };
      await client.update(certificatesigningrequests, { ...thaw<CertificateSigningRequest>(request), status: { ...thaw<CertificateSigningRequest>(request).status, ...status } }, { subresource: "status" });
    },
  });
}

const has = ({ status }: Frozen<CertificateSigningRequest>, wanted: string): boolean => status?.conditions?.some(({ type, status: state }) => type === wanted && state === "True") ?? false;
const isApproved = (request: Frozen<CertificateSigningRequest>): boolean => has(request, "Approved") && !has(request, "Denied");
const failure = (message: string): CertificateSigningRequestCondition => ({ type: "Failed", status: "True", reason: "SignerValidationFailure", message });

export function validity(expirationSeconds: number | undefined, now: number): { notBefore: Date; notAfter: Date } {
  const lifetime = expirationSeconds === undefined ? longest : Math.min(Math.max(expirationSeconds * 1000, shortest), longest);
  return { notBefore: new Date(now - backdate), notAfter: new Date(now + lifetime - (lifetime < short ? 0 : backdate)) };
}
