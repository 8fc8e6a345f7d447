import { applyCommand } from "./apply.ts";
import { defineGroup } from "./command.ts";
import { createCommand } from "./create.ts";
import { deleteCommand } from "./delete.ts";
import { attachCommand, execCommand } from "./exec.ts";
import { getCommand } from "./get.ts";
import { logsCommand } from "./logs.ts";
import { portForwardCommand } from "./port-forward.ts";
import { waitCommand } from "./wait.ts";

/** All of kubectl that there is here. */
export const commands = defineGroup({
  name: "kubectl", summary: "kubectl controls the Kubernetes cluster manager.",
  subcommands: [getCommand, createCommand, applyCommand, deleteCommand, waitCommand, logsCommand, execCommand, attachCommand, portForwardCommand],
});
