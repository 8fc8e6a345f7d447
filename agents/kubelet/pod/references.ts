import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { Frozen, KubeObject } from "../../../src/apimachinery/meta.ts";
import type { ResourceCard } from "../../../src/apimachinery/resource.ts";
import { configmaps } from "../../../src/apis/core/configmap.ts";
import { secrets } from "../../../src/apis/core/secret.ts";
import { persistentvolumeclaims } from "../../../src/apis/core/volume/persistentvolumeclaim.ts";
import type { ConfigMap, PersistentVolumeClaim, Secret } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { KeptCollection, ObjectKeeper } from "../../../src/client/object-keeper.ts";
import { ObjectStore } from "../../../src/client/object-store.ts";
import { patienceMs } from "../../../src/client/reflecting-informers.ts";
import { reflect } from "../../../src/client/reflector.ts";
import { allContainers, type Pod } from "./pod.ts";

interface Watched<T extends KubeObject> {
  store: ObjectStore<T>;
  kept?: KeptCollection<T>;
  /** Resolves when the store holds what the server says; or what it said when the process last ran, and it doesn't answer now. */
  known: Promise<void>;
  stop: AbortController;
  /** Uids of the pods that use the object. */
  users: Set<string>;
}

export interface ReferencesOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  /** Remembers the objects, for pods that start while the server is away. */
  keeper?: ObjectKeeper;
  /** An object that this pod uses has changed, appeared or gone. */
  onChange(uid: string): void;
}

/** How long a pod's start waits for the API to say what an object is. */
const answerTimeoutMs = 10_000;

/** Follows the ConfigMaps and Secrets that the node's pods use, and claims whose volumes may grow, each by a watch of its own, for as long as a pod uses it: all that the node authorizer lets a kubelet see. */
export class References {
  readonly #configMaps = new Map<string, Watched<ConfigMap>>();
  readonly #secrets = new Map<string, Watched<Secret>>();
  readonly #claims = new Map<string, Watched<PersistentVolumeClaim>>();
  constructor(private readonly options: ReferencesOptions) {}

  /** Begins to follow what the pod names. Idempotent. */
  register(pod: Pod): void {
    const uid = pod.metadata.uid!;
    for (const name of configMapNames(pod)) this.#watch(configmaps, this.#configMaps, pod.metadata.namespace!, name).users.add(uid);
    for (const name of secretNames(pod)) this.#watch(secrets, this.#secrets, pod.metadata.namespace!, name).users.add(uid);
  }

  unregister(uid: string): void {
    for (const watches of [this.#configMaps, this.#secrets, this.#claims] as Map<string, Watched<KubeObject>>[]) {
      for (const [key, watched] of watches) {
        if (!watched.users.delete(uid) || watched.users.size > 0) continue;
        watched.stop.abort();
        watched.kept?.forget();
        watches.delete(key);
      }
    }
  }

  /** Undefined when there is none; rejects when the API doesn't answer. Only for what a registered pod names. */
  readonly configMap = (namespace: string, name: string): Promise<Frozen<ConfigMap> | undefined> => this.#get(this.#configMaps, namespace, name, "configmap");
  readonly secret = (namespace: string, name: string): Promise<Frozen<Secret> | undefined> => this.#get(this.#secrets, namespace, name, "secret");

  /** Begins to follow a claim of the pod's, for what may happen to its volume. Idempotent. Tells it as it is now; undefined while that isn't known. */
  readonly followClaim = (uid: string, namespace: string, name: string): (() => Frozen<PersistentVolumeClaim> | undefined) => {
    const { store, users } = this.#watch(persistentvolumeclaims, this.#claims, namespace, name, false);
    users.add(uid);
    return () => store.get(`${namespace}/${name}`);
  };

  async #get<T extends KubeObject>(watches: ReadonlyMap<string, Watched<T>>, namespace: string, name: string, kind: string): Promise<Frozen<T> | undefined> {
    const watched = watches.get(`${namespace}/${name}`);
    if (!watched) return undefined;
    const inTime = new AbortController();
    const late = this.options.clock.sleep(answerTimeoutMs, inTime.signal).then(() => {
      throw new Error(`failed to sync ${kind} cache: timed out waiting for the condition`);
    }, () => {});
    try {
      await Promise.race([watched.known, late]);
    } finally {
      inTime.abort();
    }
    return watched.store.get(`${namespace}/${name}`);
  }

  #watch<T extends KubeObject>(card: ResourceCard<T>, watches: Map<string, Watched<T>>, namespace: string, name: string, isKept = true): Watched<T> {
    const key = `${namespace}/${name}`;
    const existing = watches.get(key);
    if (existing) return existing;
    const { client, clock, log, signal, keeper, onChange } = this.options;
    const scope = { namespace, fieldSelector: `metadata.name=${name}` };
    const kept = isKept ? keeper?.collection(card, scope) : undefined;
    const store = new ObjectStore<T>(kept);
    const stop = new AbortController();
    const known = Promise.withResolvers<void>();
    const watched: Watched<T> = { store, kept, known: known.promise, stop, users: new Set() };
    watches.set(key, watched);
    const until = AbortSignal.any([signal, stop.signal]);
    // A container that starts has its environment for good: what was known before counts only when the server doesn't answer.
    const wasKnown = store.resourceVersion !== "";
    if (wasKnown) void clock.sleep(patienceMs, until).then(known.resolve, () => {});
    void reflect({ client, card, scope, store, clock, log, onListed: known.resolve, onFailed: () => wasKnown && known.resolve() }, until);
    let complete = false;
    void known.promise.then(() => (complete = true));
    store.onChange(() => {
      if (complete) for (const uid of watched.users) onChange(uid);
    });
    return watched;
  }
}

function configMapNames(pod: Pod): Set<string> {
  const names = new Set<string>();
  for (const { env = [], envFrom = [] } of allContainers(pod)) {
    for (const { valueFrom } of env) if (valueFrom?.configMapKeyRef?.name) names.add(valueFrom.configMapKeyRef.name);
    for (const { configMapRef } of envFrom) if (configMapRef?.name) names.add(configMapRef.name);
  }
  for (const { configMap, projected } of pod.spec.volumes ?? []) {
    if (configMap?.name) names.add(configMap.name);
    for (const source of projected?.sources ?? []) if (source.configMap?.name) names.add(source.configMap.name);
  }
  return names;
}

export function secretNames(pod: Pod): Set<string> {
  const names = new Set<string>();
  for (const { name } of pod.spec.imagePullSecrets ?? []) if (name) names.add(name);
  for (const { env = [], envFrom = [] } of allContainers(pod)) {
    for (const { valueFrom } of env) if (valueFrom?.secretKeyRef?.name) names.add(valueFrom.secretKeyRef.name);
    for (const { secretRef } of envFrom) if (secretRef?.name) names.add(secretRef.name);
  }
  for (const { secret, projected } of pod.spec.volumes ?? []) {
    if (secret?.secretName) names.add(secret.secretName);
    for (const source of projected?.sources ?? []) if (source.secret?.name) names.add(source.secret.name);
  }
  return names;
}
