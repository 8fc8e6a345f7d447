import type { Frozen } from "../../../apimachinery/meta.ts";
import { compareQuantities } from "../../../apimachinery/quantity.ts";
import type { Pod } from "../../../apis/generated/core/v1.ts";
import type { RuntimeClass } from "../../../apis/generated/node/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { refuse } from "../refuse.ts";

/** Pods of a RuntimeClass get its overhead and its place. Source: kubernetes plugin/pkg/admission/runtimeclass. */
export function runtimeClass({ listers }: { listers: Listers }): Admission {
  const classes = listers<RuntimeClass>("node.k8s.io", "runtimeclasses");

  function classOf(attributes: AdmissionAttributes): Frozen<RuntimeClass> | undefined {
    const name = (attributes.object as Pod).spec?.runtimeClassName;
    if (name === undefined) return undefined;
    const found = classes.get(name);
    if (!found) throw refuse(attributes, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return found;
  }

  return defineAdmission({
    name: "RuntimeClass",
    operations: ["CREATE"],
    resources: ["pods"],
    admit(attributes) {
      const found = classOf(attributes);
      if (!found) return;
      setOverhead(attributes, found);
      setScheduling(attributes, found);
    },
    validate(attributes) {
      const { overhead } = (attributes.object as Pod).spec;
      const wanted = classOf(attributes)?.overhead;
      if (wanted ? !sameAmounts(overhead, wanted.podFixed) : overhead !== undefined) {
        throw refuse(attributes, wanted ? mismatch : "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead");
      }
    },
  });
}

const mismatch = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
type Amounts = Readonly<Record<string, string | number>>;

function sameAmounts(a: Amounts = {}, b: Amounts = {}): boolean {
  return Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, amount]) => b[name] !== undefined && compareQuantities(amount, b[name]) === 0);
}

function setOverhead(attributes: AdmissionAttributes, { overhead }: Frozen<RuntimeClass>): void {
  if (!overhead) return;
  const { spec } = attributes.object as Pod;
  if (Object.keys(spec.overhead ?? {}).length > 0 && !sameAmounts(spec.overhead, overhead.podFixed)) throw refuse(attributes, mismatch);
  spec.overhead = { ...overhead.podFixed };
}

function setScheduling(attributes: AdmissionAttributes, { scheduling }: Frozen<RuntimeClass>): void {
  if (!scheduling) return;
  const { spec } = attributes.object as Pod;
  for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
    const own = spec.nodeSelector?.[key];
    if (own !== undefined && own !== value) throw refuse(attributes, `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`);
    (spec.nodeSelector ??= {})[key] = value;
  }
  for (const toleration of scheduling.tolerations ?? []) {
    if (!spec.tolerations?.some((own) => Bun.deepEquals(own, toleration))) (spec.tolerations ??= []).push({ ...toleration });
  }
}
