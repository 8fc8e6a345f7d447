import { KubectlError } from "../errors.ts";
import { bool, list, number, text } from "../flags.ts";
import { defineGenerator } from "./generator.ts";

export const namespace = defineGenerator({
  name: "namespace", aliases: ["ns"], usage: "namespace NAME [flags]", summary: "Create a namespace with the specified name", flags: {},
  make: ({ name }) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name }, spec: {}, status: {} }),
});

export const serviceaccount = defineGenerator({
  name: "serviceaccount", aliases: ["sa"], usage: "serviceaccount NAME [flags]", summary: "Create a service account with the specified name", failure: "failed to create serviceaccount: ", flags: {},
  make: ({ name }) => ({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name } }),
});

export const quota = defineGenerator({
  name: "quota", aliases: ["resourcequota"], usage: "quota NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [flags]", summary: "Create a quota with the specified name", failure: "failed to create quota: ",
  flags: { hard: list("A comma-delimited set of resource=quantity pairs that define a hard limit."), scopes: list("A comma-delimited set of quota scopes that must all match each object tracked by the quota.") },
  make: ({ name, flags: { hard, scopes } }) => ({
    apiVersion: "v1", kind: "ResourceQuota", metadata: { name }, status: {},
    spec: {
      ...(hard.length ? { hard: Object.fromEntries(hard.map((pair) => {
        const [resource, quantity, ...more] = pair.split("=");
        if (!resource || !quantity || more.length) throw new KubectlError(`Invalid argument syntax ${pair}, expected <resource>=<value>`);
        return [resource, quantity];
      })) } : {}),
      ...(scopes.length ? { scopes } : {}),
    },
  }),
});

export const priorityclass = defineGenerator({
  name: "priorityclass", aliases: ["pc"], usage: "priorityclass NAME --value=VALUE --global-default=BOOL [flags]", summary: "Create a priority class with the specified name", failure: "failed to create priorityclass: ",
  flags: { value: number("the value of this priority class.", 0), globalDefault: bool("specifies whether this PriorityClass should be considered as the default priority."), description: text("an arbitrary string that usually provides guidelines on when this priority class should be used."), preemptionPolicy: text("the policy for preempting pods with lower priority.", { default: "PreemptLowerPriority" }) },
  make: ({ name, flags: { value, globalDefault, description, preemptionPolicy } }) => ({ apiVersion: "scheduling.k8s.io/v1", kind: "PriorityClass", metadata: { name }, value, preemptionPolicy, ...(globalDefault ? { globalDefault } : {}), ...(description ? { description } : {}) }),
});

const amount = (written: string): number | string => (/^\d+$/.test(written) ? Number(written) : written);

export const poddisruptionbudget = defineGenerator({
  name: "poddisruptionbudget", aliases: ["pdb"], usage: "poddisruptionbudget NAME --selector=SELECTOR --min-available=N [flags]", summary: "Create a pod disruption budget with the specified name", failure: "failed to create poddisruptionbudgets: ",
  flags: { selector: text("A label selector to use for this budget."), minAvailable: text("The minimum number or percentage of available pods this budget requires."), maxUnavailable: text("The maximum number or percentage of unavailable pods this budget requires.") },
  make({ name, flags: { selector, minAvailable, maxUnavailable } }) {
    if (!selector) throw new KubectlError("a selector must be specified");
    if ((minAvailable === "") === (maxUnavailable === "")) throw new KubectlError("one of min-available or max-unavailable must be specified");
    const matchLabels = Object.fromEntries(selector.split(",").map((pair) => pair.split("=", 2))) as Record<string, string>;
    return { apiVersion: "policy/v1", kind: "PodDisruptionBudget", metadata: { name }, spec: { selector: { matchLabels }, ...(minAvailable ? { minAvailable: amount(minAvailable) } : { maxUnavailable: amount(maxUnavailable) }) }, status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 } };
  },
});
