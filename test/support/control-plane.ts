import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import { builtins, events, pods } from "../../src/apis/builtins.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import type { AnyResource } from "../../src/apimachinery/resource.ts";
import { fixedKinds, rulesOf, type Controller } from "../../src/client/controller.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { createEventRecorder, type EventRecorder } from "../../src/client/recorder.ts";
import { controllers } from "../../src/controllers/index.ts";
import { ruleAllows } from "../../src/apiserver/authorization/rbac-rules.ts";
import type { Authorizer } from "../../src/registry/attributes.ts";
import { createLocalClient } from "../../src/registry/local-client.ts";
import { admin, startRegistry, type RegistryFixture } from "../../src/registry/testing/fixture.ts";

export interface ControlPlane extends RegistryFixture {
  /** Gives pods an address and makes them Ready, as a kubelet would. */
  runPods(namespace: string, options?: { ready?: boolean }): Promise<Pod[]>;
  /** Pods of the namespace, by name. */
  pods(namespace: string): Pod[];
  list<T extends KubeObject>(card: AnyResource, namespace?: string): T[];
}

/**
 * The registry with all controllers in process, each allowed what its role says; stands in for kubelets where asked.
 * Disposal throws when a controller asked for more than its role.
 */
export async function startControlPlane({ clock = systemClock, select = () => true }: { clock?: Clock; select?: (controller: Controller) => boolean } = {}): Promise<ControlPlane> {
  const fixture = await startRegistry({ clock });
  const { client, informers } = fixture;
  const stop = new AbortController();
  const refused: string[] = [];
  const list = controllers({ kinds: fixedKinds(builtins), ca: "the ca", clusterCidr: "10.42.0.0/16" }).filter(select);
  const clients = new Map(list.map((controller) => [controller.name, createLocalClient({ registry: fixture.registry, authorizer: authorizerOf(controller, refused), user: admin })]));
  const recorderFor = (name: string, component: string): EventRecorder => createEventRecorder({ client: clients.get(name)!, events, component, clock }, stop.signal);
  const running = startControllers(list, { clientFor: (name) => clients.get(name)!, recorderFor, informers, clock }, stop.signal);
  let nextAddress = 1;

  const all = <T extends KubeObject>(card: AnyResource, namespace?: string): T[] => structuredClone(informers.informer<any>(card).lister.list(namespace)) as T[];
  return {
    ...fixture,
    list: all,
    pods: (namespace) => all<Pod>(pods, namespace).toSorted((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1)),
    async runPods(namespace, { ready = true } = {}) {
      const changed: Pod[] = [];
      for (const pod of all<Pod>(pods, namespace)) {
        if (pod.metadata.deletionTimestamp || pod.status?.conditions?.some((c) => c.type === "Ready")) continue;
        const podIP = `10.42.${nextAddress >> 8}.${nextAddress++ & 255}`;
        const time = new Date(clock.now()).toISOString();
        const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions: [{ type: "Ready", status: ready ? "True" : "False", lastTransitionTime: time }] };
        changed.push(await client.patch(pods, { namespace, name: pod.metadata.name! }, { type: "application/merge-patch+json", body: { status } }, { subresource: "status" }) as Pod);
      }
      return changed;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await fixture[Symbol.asyncDispose]();
      if (refused.length > 0) throw new Error(`a controller's role lacks what it asked for: ${[...new Set(refused)].join(", ")}`);
    },
  };
}

/** Allows what the controller's role would. */
function authorizerOf(controller: Controller, refused: string[]): Authorizer {
  const rules = rulesOf(controller);
  return {
    authorize(attributes) {
      const allowed = rules.some((rule) => ruleAllows(rule, attributes));
      const { verb, group, resource, subresource } = attributes;
      if (!allowed) refused.push(`${controller.name}: ${verb} ${resource}${subresource && `/${subresource}`}.${group}`);
      return { allowed, reason: "" };
    },
    authorizePath: () => ({ allowed: false, reason: "" }),
  };
}
