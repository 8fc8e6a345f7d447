import { X509Certificate } from "node:crypto";
import type { Frozen } from "../../apimachinery/meta.ts";
import { certificatesigningrequests } from "../../apis/certificates/certificatesigningrequest.ts";
import type { CertificateSigningRequest } from "../../apis/generated/certificates/v1.ts";
import { defineController } from "../../client/controller.ts";

const hour = 3_600_000;
const decidedKept = hour, pendingKept = 24 * hour;

/** Deletes requests an hour after they were answered, or a day after nobody did. Source: kubernetes pkg/controller/certificates/cleaner. */
export const certificateCleaner = defineController({
  name: "csrcleaner", for: certificatesigningrequests,
  writes: [{ apiGroups: ["certificates.k8s.io"], resources: ["certificatesigningrequests"], verbs: ["delete"] }],
  async reconcile(name, { client, lister, now }) {
    const request = lister(certificatesigningrequests).get(name);
    if (!request) return;
    const ends = endOf(request);
    if (ends <= now()) return client.delete(certificatesigningrequests, { name }, { preconditions: { uid: request.metadata.uid } });
    return ends === Infinity ? undefined : { requeueAt: ends };
  },
});

/** When a request has been kept long enough, in milliseconds since the epoch. */
export function endOf({ metadata, status }: Frozen<CertificateSigningRequest>): number {
  const { conditions = [], certificate } = status ?? {};
  if (conditions.length === 0) return Date.parse(metadata.creationTimestamp ?? "") + pendingKept;
  const ends = conditions.flatMap(({ type, lastUpdateTime }) => {
    const decided = Date.parse(lastUpdateTime ?? "") || Infinity;
    if (type === "Denied" || type === "Failed") return [decided + decidedKept];
    return type === "Approved" ? [decided + (certificate ? decidedKept : pendingKept), ...(certificate ? [expiryOf(certificate)] : [])] : [];
  });
  return Math.min(Infinity, ...ends);
}

function expiryOf(certificate: string): number {
  try {
    return Date.parse(new X509Certificate(Buffer.from(certificate, "base64")).validTo);
  } catch {
    return Infinity;
  }
}
