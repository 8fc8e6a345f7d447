import { readFileSync } from "node:fs";
import { buildOciImage } from "../../agents/containerd/oci-image.ts";
import { nodeArchitecture } from "../../agents/containerd/pause.ts";

export const busyboxReference = "localhost/busybox:1";

/** An image of Debian's static busybox, with every applet, for tests and the README's example; another page makes another image of it. */
export async function busyboxImage(reference = busyboxReference, page = "hello from busybox\n"): Promise<Uint8Array> {
  const busybox = readFileSync("/bin/busybox");
  const applets = Bun.spawnSync(["/bin/busybox", "--list"]).stdout.toString().trim().split("\n").filter((name) => name !== "busybox");
  return buildOciImage({
    reference, architecture: nodeArchitecture,
    files: [
      ...["bin", "etc", "root", "proc", "sys", "dev", "var", "www"].map((path) => ({ path, directory: true })),
      { path: "tmp", directory: true, mode: 0o1777 },
      { path: "bin/busybox", mode: 0o755, data: busybox },
      { path: "etc/passwd", data: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n" },
      { path: "etc/group", data: "root:x:0:\nnogroup:x:65534:\n" },
      { path: "www/index.html", data: page },
      ...applets.map((name) => ({ path: `bin/${name}`, link: "busybox" })),
    ],
    config: { Cmd: ["sh"], Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] },
  });
}

/** An OCI archive of an image with these files, a layer each. */
export async function layeredImage(reference: string, [first = {}, ...above]: readonly Readonly<Record<string, string>>[]): Promise<Uint8Array> {
  const files = (layer: Readonly<Record<string, string>>) => Object.entries(layer).map(([path, data]) => ({ path, data }));
  return buildOciImage({ reference, architecture: nodeArchitecture, files: files(first), above: above.map(files), config: {} });
}
