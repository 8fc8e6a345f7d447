import { apiResourcesCommand, apiVersionsCommand } from "./api-resources.ts";
import { applyCommand } from "./apply.ts";
import { authCommand } from "./auth.ts";
import { defineGroup } from "./command.ts";
import { configCommand } from "./config.ts";
import { cordonCommand, uncordonCommand } from "./cordon.ts";
import { createCommand } from "./create.ts";
import { deleteCommand } from "./delete.ts";
import { describeCommand } from "./describe.ts";
import { drainCommand } from "./drain.ts";
import { editCommand } from "./edit.ts";
import { attachCommand, execCommand } from "./exec.ts";
import { explainCommand } from "./explain.ts";
import { exposeCommand } from "./expose.ts";
import { getCommand } from "./get.ts";
import { annotateCommand, labelCommand } from "./label.ts";
import { logsCommand } from "./logs.ts";
import { patchCommand } from "./patch.ts";
import { portForwardCommand } from "./port-forward.ts";
import { replaceCommand } from "./replace.ts";
import { rolloutCommand } from "./rollout.ts";
import { runCommand } from "./run.ts";
import { scaleCommand } from "./scale.ts";
import { setCommand } from "./set-image.ts";
import { taintCommand } from "./taint.ts";
import { topCommand } from "./top.ts";
import { clusterInfoCommand, versionCommand } from "./version.ts";
import { waitCommand } from "./wait.ts";

/** All of kubectl that there is here. */
export const commands = defineGroup({
  name: "kubectl", summary: "kubectl controls the Kubernetes cluster manager.",
  subcommands: [
    createCommand, exposeCommand, runCommand, setCommand, explainCommand, getCommand, editCommand, deleteCommand, rolloutCommand, scaleCommand, clusterInfoCommand, topCommand, cordonCommand, uncordonCommand, drainCommand, taintCommand,
    describeCommand, logsCommand, attachCommand, execCommand, portForwardCommand, authCommand, applyCommand, patchCommand, replaceCommand, waitCommand, labelCommand, annotateCommand,
    apiResourcesCommand, apiVersionsCommand, configCommand, versionCommand,
  ],
});
