/** A process that was started here, as far as its end goes. */
export type Child = Pick<Bun.Subprocess, "exitCode" | "signalCode">;

/** Whether it has ended, by itself or by a signal: one that a signal has ended has no exit code. */
export const hasEnded = ({ exitCode, signalCode }: Child): boolean => exitCode !== null || signalCode !== null;
