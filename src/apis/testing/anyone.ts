import type { WriteContext } from "../../apimachinery/resource.ts";

/** Some writer, for tests that call strategies themselves. */
export const anyone: WriteContext = { user: { name: "anyone", groups: ["system:authenticated"] }, now: Date.UTC(2026, 0, 1) };
