import { pods } from "../../apis/core/pod/pod.ts";
import type { Binding } from "../../apis/generated/core/v1.ts";
import { definePlugin, type AnyPlugin, type Handle } from "../framework.ts";

/** Posts the Binding. */
export const defaultBinder = (_: unknown, { client }: Handle): AnyPlugin => definePlugin({
  name: "DefaultBinder",
  async bind({ pod: { metadata } }, nodeName) {
    const { namespace, name, uid } = metadata;
    const binding: Binding = { apiVersion: "v1", kind: "Binding", metadata: { namespace, name, uid }, target: { kind: "Node", name: nodeName } };
    await client.createSubresource(pods, { namespace, name: name! }, "binding", binding);
    return undefined;
  },
});
