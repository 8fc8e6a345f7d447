import type { ObjectReference } from "../../apis/generated/core/v1.ts";
import type { EventRecorder } from "../../client/recorder.ts";
import type { Engine } from "./engine.ts";
import { sentenceOf } from "./recovery.ts";

/** What an Event of the server itself is about: its Node, as the kubelet names it, or where there is none what is always there. */
export const serverReference = ({ nodeName, disableAgent }: { nodeName: string; disableAgent: boolean }): ObjectReference =>
  (disableAgent ? systemNamespace : { apiVersion: "v1", kind: "Node", name: nodeName, uid: nodeName });

const systemNamespace: ObjectReference = { apiVersion: "v1", kind: "Namespace", name: "kube-system", namespace: "kube-system" };

/** Tells what the log tells of the datastore to those who look with kubectl, too: what was lost at this start, and from now on when room ends and when there is some again. Returns how to end that. */
export function recordDatastore({ engine: { recovery, shortage }, recorder, about }: { engine: Pick<Engine, "recovery" | "shortage">; recorder: EventRecorder; about: ObjectReference }): () => void {
  const tellRoom = (why: string | undefined): void => {
    if (why === undefined) recorder.event(about, "Normal", "DatabaseHasRoom", "There is room for the datastore again");
    else recorder.event(about, "Warning", "DatabaseFull", `Nothing new can be stored: ${why}`);
  };
  if (recovery) recorder.event(systemNamespace, "Warning", "DatabaseRestored", sentenceOf(recovery));
  if (shortage.why !== undefined) tellRoom(shortage.why);
  return shortage.onChange(tellRoom);
}
