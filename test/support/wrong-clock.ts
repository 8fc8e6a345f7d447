import { Glob } from "bun";
import { writeFileSync } from "node:fs";

/**
 * A wall clock of its own for a process and those it starts, by Debian's libfaketime; time that passes is left alone. Programs that don't ask
 * the C library, such as those in Go, see the machine's.
 */
export interface WrongClock {
  /** To start the process with. */
  readonly environment: Record<string, string>;
  /** Sets it, also while the process runs; to the machine's time when none is given. It goes on from there. */
  set(time?: Date): void;
}

/** `file` is where the process looks what time it is. */
export function wrongClock(file: string): WrongClock {
  const [library] = [...new Glob("/usr/lib/*/faketime/libfaketimeMT.so.1").scanSync("/")];
  if (!library) throw new Error("libfaketime is missing: install the package faketime");
  return {
    environment: { LD_PRELOAD: library, FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: "1" },
    set(time) {
      const offset = Math.round(((time?.getTime() ?? Date.now()) - Date.now()) / 1000);
      writeFileSync(file, `${offset < 0 ? "" : "+"}${offset}\n`);
    },
  };
}
