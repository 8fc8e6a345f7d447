/** The minor version of the kubectl on the PATH: tests run with the newest and with the one of Debian 12, 1.20. Throws when there is none. */
export function kubectlMinor(): number {
  const { exitCode, stdout } = Bun.spawnSync(["kubectl", "version", "--client", "--output=json"]);
  if (exitCode !== 0) throw new Error("kubectl is missing: npm test installs it");
  const { clientVersion } = JSON.parse(stdout.toString()) as { clientVersion: { minor: string } };
  return Number.parseInt(clientVersion.minor, 10);
}
