import { createHash, randomUUID } from "node:crypto";
import type { Frozen } from "../apimachinery/meta.ts";
import { isNotFound } from "../apimachinery/status.ts";
import { canonicalMicroTime } from "../apimachinery/time.ts";
import { labelValueErrors } from "../apimachinery/validation/names.ts";
import { identityLabel, identityNamespace } from "../apis/coordination/identity-lease.ts";
import { leases, type Lease } from "../apis/coordination/lease.ts";
import { background } from "../base/background.ts";
import type { Clock } from "../base/clock.ts";
import type { Component } from "../base/component.ts";
import { logger } from "../base/log.ts";
import type { Client } from "../client/client.ts";

const renewInterval = 10_000, leaseDurationSeconds = 3600;
const log = logger("identity-lease");

/** `apiserver-` and a hash of the host name, the same that kube-apiserver would have on this machine. */
export function apiServerIdOf(hostname: string): string {
  const prefixed = [hostname, "kube-apiserver"].flatMap((text) => {
    const bytes = Buffer.from(text), length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    return [length, bytes];
  });
  return `apiserver-${base32(createHash("sha256").update(Buffer.concat(prefixed)).digest().subarray(0, 16))}`;
}

/** RFC 4648 in lower case, without padding. */
function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return bits.match(/.{1,5}/g)!.map((five) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(five.padEnd(5, "0"), 2)]).join("");
}

export interface IdentityLeaseDependencies {
  hostname: string;
  client: Client;
  clock: Clock;
}

/**
 * Says by a Lease in kube-system that this API server runs: made anew at start, renewed every ten seconds in memory alone, deleted when the
 * server stops. One that somebody deleted or changed is right again with the next renewal. https://kubernetes.io/docs/concepts/architecture/leases/#api-server-identity
 */
export function identityLease({ hostname, client, clock }: IdentityLeaseDependencies): Component {
  const name = apiServerIdOf(hostname), key = { namespace: identityNamespace, name }, holderIdentity = `${name}_${randomUUID()}`;
  const labels = { [identityLabel]: "kube-apiserver", ...(labelValueErrors(hostname).length === 0 ? { "kubernetes.io/hostname": hostname } : {}) };
  let latest: Frozen<Lease> | undefined;

  const spec = () => ({ leaseDurationSeconds, renewTime: canonicalMicroTime(new Date(clock.now()).toISOString()) });
  const remove = (): Promise<void> => client.delete(leases, key).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
  const create = async (): Promise<void> => {
    latest = await client.create(leases, { metadata: { ...key, labels }, spec: { holderIdentity, ...spec() } });
  };
  const renew = async (): Promise<void> => {
    if (!latest) {
      await remove();
      return create();
    }
    const { metadata } = latest, base = latest.spec;
    // What went wrong with this object is another's doing, and the next renewal's to mend.
    latest = undefined;
    latest = await client.update(leases, { metadata: { ...structuredClone(metadata), labels: { ...metadata.labels, ...labels } }, spec: { ...base, holderIdentity, ...spec() } } as Lease);
  };
  const tried = (act: () => Promise<void>): Promise<void> => act().catch((error: unknown) => log.warn("The lease of this API server could not be written, will try again", { lease: name, error }));

  const loop = background("identity-lease", async (signal) => {
    const ended = (): boolean => signal.aborted;
    while (!ended()) {
      await clock.sleep(renewInterval, signal).catch(() => undefined);
      if (!ended()) await tried(renew);
    }
  }, { onFailure: () => undefined });
  return {
    name: "identity-lease",
    async start(signal) {
      await tried(renew);
      await loop.start(signal);
    },
    async stop() {
      await loop.stop!();
      await tried(remove);
    },
  };
}
