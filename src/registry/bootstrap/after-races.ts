import { isAlreadyExists, isConflict } from "../../apimachinery/status.ts";

const tries = 10;

/** Servers that start together on one store make the same objects: who comes second looks again. `ensure` may be begun as often as it takes. */
export async function afterRaces(ensure: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ensure();
    } catch (error) {
      if (attempt === tries || !(isAlreadyExists(error) || isConflict(error))) throw error;
    }
  }
}
