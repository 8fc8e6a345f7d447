import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The plugin that `linkPlugins` adds: to be the first of a network with IPv6. */
export const withoutDetection = "skiff-without-dad";

/**
 * Makes `directory` hold the standard plugins, as links to where the distribution has them, and one that switches off IPv6's duplicate address detection
 * in a pod's network before it has a link: ptp waits for that, which takes more than a second, and the addresses can't be anybody else's.
 * `standardDirectory` may not be there: it is the runtime that says so then.
 */
export function linkPlugins(directory: string, standardDirectory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  for (const name of namesIn(standardDirectory)) {
    const link = join(directory, name), target = join(standardDirectory, name);
    if (attempt(() => readlinkSync(link)) === target) continue;
    rmSync(link, { force: true });
    symlinkSync(target, link);
  }
  const own = join(directory, withoutDetection);
  if (attempt(() => readFileSync(own, "utf8")) !== script) writeFileSync(own, script, { mode: 0o755 });
}

/** CNI 0.4.0: https://www.cni.dev/docs/spec-v0.4.0/. /proc/sys/net is that of the network namespace of who looks. */
const script = `#!/bin/sh
# Written by skiff at every start; changes here are lost.
case $CNI_COMMAND in
ADD)
  nsenter --net="$CNI_NETNS" sh -c 'for links in default all; do echo 0 > /proc/sys/net/ipv6/conf/$links/accept_dad; done' 2>/dev/null
  echo '{"cniVersion":"0.4.0","interfaces":[],"ips":[]}' ;;
VERSION) echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.0","0.3.1","0.4.0"]}' ;;
esac
exit 0
`;

const namesIn = (directory: string): string[] => attempt(() => readdirSync(directory)) ?? [];

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
