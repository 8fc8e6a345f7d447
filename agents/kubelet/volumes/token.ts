import type { Clock } from "../../../src/base/clock.ts";
import { serviceaccounts } from "../../../src/apis/core/serviceaccount.ts";
import type { TokenRequest } from "../../../src/apis/generated/authentication/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { KeptAnswers } from "./kept-answers.ts";
import type { ServiceAccountToken, VolumeSources } from "./volume.ts";

interface Known extends Omit<ServiceAccountToken, "renewAt"> {
  /** When another is to be asked for, in time that passes. */
  due: number;
}

interface Issued {
  token: string;
  /** Of its life, as the server says. */
  seconds: number;
}

/** As the kubelet: long-lived tokens are renewed every day too. */
const longestMs = 24 * 60 * 60 * 1000;
/** While the server is away, the last token is all there is; nobody can refuse it then. */
const askAgainMs = 60_000;

export interface ServiceAccountTokens {
  token: VolumeSources["token"];
  /** The pod has gone. */
  forget(uid: string): void;
}

/**
 * Tokens bound to their pod, asked for again when four fifths of their life are over; kept by pod, audience and lifetime until then. Their age
 * is counted in time that passes: the node's clock may be far from the server's. Tokens of earlier processes serve while the server is away.
 */
export function serviceAccountTokens({ client, clock, kept }: { client: Client; clock: Clock; kept: KeptAnswers }): ServiceAccountTokens {
  const known = new Map<string, Map<string, Known>>();

  async function request({ metadata: { namespace, name, uid }, spec }: Parameters<VolumeSources["token"]>[0], audience: string | undefined, expirationSeconds: number): Promise<Issued> {
    const body: TokenRequest = {
      apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", metadata: {},
      spec: { audiences: audience === undefined ? [] : [audience], expirationSeconds, boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid } },
    };
    const { spec: granted, status } = await client.createSubresource<TokenRequest>(serviceaccounts, { namespace, name: spec.serviceAccountName || "default" }, "token", body);
    if (!status) throw new Error(`no token was issued for service account ${namespace}/${spec.serviceAccountName}`);
    return { token: status.token, seconds: granted.expirationSeconds ?? expirationSeconds };
  }

  return {
    async token(pod, audience, expirationSeconds) {
      const uid = pod.metadata.uid!, key = `${audience ?? ""}/${expirationSeconds}`;
      const ofPod = known.get(uid) ?? new Map<string, Known>();
      known.set(uid, ofPod);
      let current = ofPod.get(key);
      if (!current || clock.monotonic() >= current.due) {
        const { answer, isOld } = await kept.ask(`token/${uid}/${key}`, () => request(pod, audience, expirationSeconds));
        const { token, seconds } = answer!;
        current = { token, due: clock.monotonic() + (isOld ? askAgainMs : Math.min(seconds * 800, longestMs)) };
        ofPod.set(key, current);
      }
      return { token: current.token, renewAt: clock.now() + current.due - clock.monotonic() };
    },
    forget(uid) {
      known.delete(uid);
      kept.forget(`token/${uid}/`);
    },
  };
}
