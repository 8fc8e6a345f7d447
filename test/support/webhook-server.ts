import type { AdmissionRequest, AdmissionResponse, AdmissionReview } from "../../src/apis/generated/admission/v1.ts";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";

export type WebhookAnswer = (request: AdmissionRequest) => Partial<AdmissionResponse> | Response | Promise<Partial<AdmissionResponse> | Response>;

/** A real HTTPS server of admission webhooks: a path each. Its certificate is for 127.0.0.1 and for the Services in `names`. */
export interface WebhookServer {
  readonly port: number;
  /** Base64, as a clientConfig has it. */
  readonly caBundle: string;
  url(path: string): string;
  /** What was asked of each path. */
  readonly requests: Map<string, AdmissionRequest[]>;
  /** As asked, with the query. */
  readonly urls: string[];
  stop(): void;
}

export async function startWebhookServer(answers: Record<string, WebhookAnswer>, names: readonly string[] = []): Promise<WebhookServer> {
  const end = new Date(Date.now() + 86_400_000);
  const ca = await createCa("webhook-ca", end);
  const leaf = await createLeaf({ issuer: ca, usage: "server", subject: { commonName: "webhook" }, names: ["127.0.0.1", ...names], notAfter: end });
  const requests = new Map<string, AdmissionRequest[]>();
  const urls: string[] = [];
  const server = Bun.serve({
    port: 0, hostname: "127.0.0.1", tls: { cert: leaf.certificate, key: leaf.key },
    async fetch(http) {
      const { pathname, search } = new URL(http.url);
      urls.push(pathname + search);
      const review = await http.json() as AdmissionReview;
      const request = review.request!;
      requests.set(pathname, [...requests.get(pathname) ?? [], request]);
      const answer = await (answers[pathname] ?? answers[`/${pathname.split("/")[1]}`])!(request);
      if (answer instanceof Response) return answer;
      return Response.json({ kind: review.kind, apiVersion: review.apiVersion, response: { uid: request.uid, allowed: true, ...answer } });
    },
  });
  return {
    port: server.port!, caBundle: Buffer.from(ca.certificate).toString("base64"), url: (path) => `https://127.0.0.1:${server.port}${path}`, requests, urls,
    stop: () => void server.stop(true),
  };
}

/** A JSON Patch as a webhook answers it. */
export const patchAnswer = (...operations: object[]): Partial<AdmissionResponse> => ({ patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(operations)).toString("base64") });
