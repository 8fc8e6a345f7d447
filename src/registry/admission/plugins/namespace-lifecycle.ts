import type { Frozen } from "../../../apimachinery/meta.ts";
import { forbidden, notFound, type StatusError } from "../../../apimachinery/status.ts";
import type { Namespace } from "../../../apis/generated/core/v1.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission } from "../admission.ts";

const immortal = new Set(["default", "kube-system", "kube-public"]);
/** Access reviews must work while the namespace they ask about is going away. */
const reviewKinds = new Set(["localsubjectaccessreviews"]);

/** Refuses writes into namespaces that don't exist, creations in those being deleted, and the deletion of the built-in ones. */
export function namespaceLifecycle({ listers }: { listers: Listers }): Admission {
  const namespaces = listers<Namespace>("", "namespaces");
  return defineAdmission({
    name: "NamespaceLifecycle",
    operations: ["CREATE", "UPDATE", "DELETE"],
    resources: ["*"],
    admit({ operation, card, namespace, name }) {
      const isNamespace = card.group === "" && card.resource === "namespaces";
      if (isNamespace && operation === "DELETE" && immortal.has(name)) {
        throw forbidden({ group: "", resource: "namespaces" }, name, "this namespace may not be deleted");
      }
      if (isNamespace || !namespace || operation === "DELETE" || reviewKinds.has(card.resource)) return;
      const found = namespaces.get(namespace);
      if (!found) throw notFound({ group: "", resource: "namespaces" }, namespace);
      if (operation === "CREATE" && isTerminating(found)) throw terminating(card, namespace, name);
    },
  });
}

const isTerminating = (namespace: Frozen<Namespace>): boolean => namespace.status?.phase === "Terminating" || Boolean(namespace.metadata.deletionTimestamp);

function terminating(card: { group: string; resource: string }, namespace: string, name: string): StatusError {
  const error = forbidden(card, name, `unable to create new content in namespace ${namespace} because it is being terminated`);
  error.status.details = {
    ...error.status.details,
    causes: [{ reason: "NamespaceTerminating", message: `namespace ${namespace} is being terminated`, field: "metadata.namespace" }],
  };
  return error;
}
