import { mandatory, suggested } from "../../apis/flowcontrol/bootstrap.ts";
import { flowschemas } from "../../apis/flowcontrol/flowschema.ts";
import { prioritylevelconfigurations } from "../../apis/flowcontrol/prioritylevelconfiguration.ts";
import type { InformerFactory } from "../../client/informer.ts";
import { createFlowController, type FlowController, type FlowControlOptions } from "./flow-controller.ts";

/** Flow control by the stored objects; until there are any, by those that every cluster begins with. */
export function storedFlowControl({ informers, ...options }: Omit<FlowControlOptions, "configuration"> & { informers: InformerFactory }): FlowController {
  const schemas = informers.informer(flowschemas), levels = informers.informer(prioritylevelconfigurations);
  const flow = createFlowController({
    ...options,
    configuration() {
      const flowSchemas = schemas.lister.list(), priorityLevels = levels.lister.list();
      const complete = [flowSchemas, priorityLevels].every((list) => list.some(({ metadata }) => metadata.name === "catch-all"));
      // Without the catch-all requests would go unlimited.
      if (!complete) return { flowSchemas: [...mandatory.flowSchemas, ...suggested.flowSchemas], priorityLevels: [...mandatory.priorityLevels, ...suggested.priorityLevels] };
      return { flowSchemas, priorityLevels };
    },
  });
  schemas.onChange(() => flow.invalidate());
  levels.onChange(() => flow.invalidate());
  return flow;
}
