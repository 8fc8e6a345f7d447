import type { Ingress, IngressClass } from "../../../apis/generated/networking/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";
import { newestDefault } from "../../../apimachinery/newest-default.ts";

/** Gives the default class to ingresses that name none. Source: kubernetes plugin/pkg/admission/network/defaultingressclass. */
export function defaultIngressClass({ listers }: { listers: Listers }): Admission {
  const classes = listers<IngressClass>("networking.k8s.io", "ingressclasses");
  return defineAdmission({
    name: "DefaultIngressClass",
    operations: ["CREATE"],
    resources: ["ingresses.networking.k8s.io"],
    admit({ object }) {
      const ingress = object as Ingress;
      if (ingress.spec?.ingressClassName !== undefined || ingress.metadata.annotations?.["kubernetes.io/ingress.class"] !== undefined) return;
      const name = newestDefault<IngressClass>(classes.list(), ["ingressclass.kubernetes.io/is-default-class"])?.metadata.name;
      if (name) (ingress.spec ??= {}).ingressClassName = name;
    },
  });
}
