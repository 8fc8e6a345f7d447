import { isAlreadyExists, isConflict, StatusError } from "../../apimachinery/status.ts";

const tries = 10, waitMs = 300;

/** Servers that start together on one store make the same objects: who comes second looks again. `ensure` may be begun as often as it takes. */
export async function afterRaces(ensure: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ensure();
    } catch (error) {
      if (attempt === tries || !(isAlreadyExists(error) || isConflict(error) || isTaken(error))) throw error;
      if (isTaken(error)) await Bun.sleep(waitMs);
    }
  }
}

/** An address is claimed before its Service is stored: another server is about to store it. */
const isTaken = (error: unknown): boolean => error instanceof StatusError && error.status.reason === "Invalid" && error.status.message!.includes("provided IP is already allocated");
