import { systemClock, type Clock } from "../../base/clock.ts";
import type { Authorizer } from "../attributes.ts";
import type { Listers } from "../listers.ts";
import { randomSuffix } from "../random-suffix.ts";
import type { Admission } from "./admission.ts";
import { defaultTolerationSeconds } from "./plugins/default-toleration-seconds.ts";
import { namespaceLifecycle } from "./plugins/namespace-lifecycle.ts";
import { nodeRestriction } from "./plugins/node-restriction.ts";
import { priority } from "./plugins/priority.ts";
import { rbacEscalation } from "./plugins/rbac-escalation.ts";
import { serviceAccount } from "./plugins/service-account.ts";
import { taintNodesByCondition } from "./plugins/taint-nodes-by-condition.ts";
import { mutatingAdmissionWebhook } from "./webhook/mutating.ts";
import { validatingAdmissionWebhook } from "./webhook/validating.ts";
import type { WebhookDependencies } from "./webhook/webhook.ts";

export interface AdmissionDependencies {
  listers: Listers;
  authorizer: Authorizer;
  clock?: Clock;
  /** Without it no webhook is called. */
  webhooks?: WebhookDependencies;
}

/** The plugins in the order of Kubernetes' own (pkg/kubeapiserver/options/plugins.go). */
export const defaultAdmission = ({ listers, authorizer, clock = systemClock, webhooks }: AdmissionDependencies): readonly Admission[] => [
  namespaceLifecycle({ listers }),
  serviceAccount({ listers, randomSuffix, clock }),
  nodeRestriction({ listers }),
  taintNodesByCondition,
  priority({ listers }),
  defaultTolerationSeconds,
  rbacEscalation({ listers, authorizer }),
  ...(webhooks ? [mutatingAdmissionWebhook({ ...webhooks, listers }), validatingAdmissionWebhook({ ...webhooks, listers })] : []),
];
