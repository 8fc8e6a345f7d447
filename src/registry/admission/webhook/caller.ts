import type { Frozen } from "../../../apimachinery/meta.ts";
import { noSuchPath } from "../../../apimachinery/status.ts";
import type { WebhookClientConfig } from "../../../apis/generated/admissionregistration/v1.ts";
import { proxyOption } from "../../../base/proxy/environment.ts";
import type { ServiceResolver } from "../../service-resolver.ts";
import { reasonOf } from "./call-errors.ts";

/** Calls webhooks over TLS: POST of one JSON object, answered by another. Connections are kept and reused. */
export interface WebhookCaller {
  /** Resolves with the parsed answer. Rejects with an Error whose message tells, in Go's words, what was asked and what went wrong. */
  post(client: Frozen<WebhookClientConfig>, body: object, options: { timeoutSeconds: number; signal?: AbortSignal }): Promise<unknown>;
}

/** An answer holds an object and a patch of it at most. */
const mostAnswerBytes = 16 << 20;

export function createWebhookCaller({ resolveService }: { resolveService: ServiceResolver }): WebhookCaller {
  return {
    async post(client, body, { timeoutSeconds, signal }) {
      const target = targetOf(client, timeoutSeconds);
      let dialed = target.href;
      const late = AbortSignal.timeout(timeoutSeconds * 1000);
      try {
        dialed = dial(client, target, resolveService);
        const answer = await fetch(dialed, {
          method: "POST", redirect: "manual", ...(client.service ? {} : proxyOption(dialed)), signal: signal ? AbortSignal.any([signal, late]) : late,
          headers: { "Content-Type": "application/json", Accept: "application/json", Host: target.host, "User-Agent": "kube-apiserver-admission" },
          body: JSON.stringify(body),
          tls: { serverName: target.hostname, ...(client.caBundle ? { ca: Buffer.from(client.caBundle, "base64").toString() } : {}) },
        });
        return parseAnswer(answer.status, await readBounded(answer));
      } catch (error) {
        if (error instanceof AnswerError) throw error;
        throw new Error(`Post ${JSON.stringify(target.href)}: ${late.aborted ? "context deadline exceeded" : reasonOf(error, { hostname: target.hostname, dialed: new URL(dialed).host })}`, { cause: error });
      }
    },
  };
}

/** The connection was fine, the answer is not. */
class AnswerError extends Error {
  override readonly name = "AnswerError";
}

/** What the caller says it asks, whatever address it goes to. */
function targetOf({ url, service }: Frozen<WebhookClientConfig>, timeoutSeconds: number): { href: string; host: string; hostname: string } {
  const timeout = `timeout=${timeoutSeconds}s`;
  if (!service) {
    const { host, hostname } = new URL(url!);
    return { href: `${url}?${timeout}`, host, hostname };
  }
  const { namespace, name, path = "", port = 443 } = service;
  const hostname = `${name}.${namespace}.svc`;
  const host = `${hostname}:${port}`;
  return { href: `https://${host}${path.startsWith("/") ? path : `/${path}`}?${timeout}`, host, hostname };
}

function dial({ service }: Frozen<WebhookClientConfig>, { href, host }: { href: string; host: string }, resolveService: ServiceResolver): string {
  if (!service) return href;
  const address = resolveService(service.namespace, service.name, service.port ?? 443);
  return href.replace(host, `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`);
}

async function readBounded(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > mostAnswerBytes) throw new AnswerError(`the webhook's answer is larger than ${mostAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Source of the words: k8s.io/apimachinery/pkg/api/errors NewGenericServerResponse, as client-go shows them. */
function parseAnswer(status: number, text: string): unknown {
  if (status === 404) throw new AnswerError(noSuchPath().message);
  if (status < 200 || status > 206) {
    throw new AnswerError(status < 500 ? `the server responded with the status code ${status} but did not return more information` : `an error on the server (${JSON.stringify(text.trim().slice(0, 2048) || "unknown")}) has prevented the request from succeeding`);
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new AnswerError(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
  }
}
