import { afterAll, setDefaultTimeout } from "bun:test";
import { startWithBusybox, type TestSkiff, type TestSkiffOptions } from "./skiff.ts";

/** A server of the calling test file's own, with busybox on its node; it goes after the last test. */
export async function skiffForThisFile(options: TestSkiffOptions = {}): Promise<TestSkiff> {
  setDefaultTimeout(240_000);
  const skiff = await startWithBusybox(options);
  afterAll(() => skiff.dispose());
  return skiff;
}
