import { isAlreadyExists } from "../../apimachinery/status.ts";
import { priorityclasses, systemPriorityClasses } from "../../apis/scheduling/priorityclass.ts";
import type { Client } from "../../client/client.ts";

/** Makes the priority classes that every cluster has. Pods may name them before that: admission knows them by heart. */
export async function ensureSystemPriorityClasses(client: Client): Promise<void> {
  await Promise.all(systemPriorityClasses.map(async (priorityClass) => {
    try {
      await client.create(priorityclasses, structuredClone(priorityClass));
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }));
}
