import type { Frozen } from "../../apimachinery/meta.ts";
import { replicationcontrollers } from "../../apis/builtins.ts";
import type { ReplicaSet } from "../../apis/generated/apps/v1.ts";
import type { ReplicationController } from "../../apis/generated/core/v1.ts";
import type { Controller } from "../../client/controller.ts";
import { replicaController, type ReplicaKind } from "./replicaset.ts";

/** A ReplicationController is a ReplicaSet whose selector is a map. */
const kind: ReplicaKind<ReplicationController> = {
  name: "replication-controller", card: replicationcontrollers,
  view: (controller) => ({ ...controller, spec: { ...controller.spec, selector: { matchLabels: controller.spec?.selector ?? {} } } }) as Frozen<ReplicaSet>,
};

export const replicationcontroller = (): Controller => replicaController(kind);
