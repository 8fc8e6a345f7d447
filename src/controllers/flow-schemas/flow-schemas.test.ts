import { expect, test } from "bun:test";
import { flowschemas, prioritylevelconfigurations } from "../../apis/builtins.ts";
import type { FlowSchema } from "../../apis/generated/flowcontrol/v1.ts";
import { startControlPlane } from "../../../test/support/control-plane.ts";
import { eventually } from "../../../test/support/eventually.ts";

test("a flow schema says whether its level is there", async () => {
  await using plane = await startControlPlane({ select: ({ name }) => name === "flow-schema-controller" });
  const condition = (): unknown => plane.list<FlowSchema>(flowschemas)[0]?.status?.conditions?.[0];
  await plane.client.create(flowschemas, { metadata: { name: "mine" }, spec: { priorityLevelConfiguration: { name: "mine" }, matchingPrecedence: 500 } });
  await eventually(() => expect(condition()).toMatchObject({ type: "Dangling", status: "True", reason: "NotFound", message: `This FlowSchema references the PriorityLevelConfiguration object named "mine" but there is no such object` }));
  await plane.client.create(prioritylevelconfigurations, { metadata: { name: "mine" }, spec: { type: "Limited", limited: { limitResponse: { type: "Reject" } } } });
  await eventually(() => expect(condition()).toMatchObject({ status: "False", reason: "Found" }));
  await plane.client.delete(prioritylevelconfigurations, { name: "mine" });
  await eventually(() => expect(condition()).toMatchObject({ status: "True" }));
});
