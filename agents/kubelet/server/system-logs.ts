import { open, readdir, stat } from "node:fs/promises";
import { join, normalize } from "node:path";
import { notFound, StatusError } from "../../../src/apimachinery/status.ts";
import type { HttpRequest, HttpResponse } from "../../../src/base/http.ts";

const block = 64 * 1024;
const html = { "Content-Type": "text/html; charset=utf-8" };

/**
 * Answers `/logs/<path>` with a file of the machine's log directory, or with the list of a directory that ends with a slash, as a page of links:
 * `kubectl get --raw /api/v1/nodes/NODE/proxy/logs/`. Throws a 404 for what isn't there, or is neither.
 * Source: k8s.io/kubernetes/pkg/kubelet/server InstallSystemLogHandler, which is on by default (queries of the journal by `?query=` aren't).
 */
export async function serveSystemLogs(request: HttpRequest, response: HttpResponse, root: string, path: readonly string[]): Promise<void> {
  if (request.method !== "GET") return response.send(405, { Allow: "GET", "Content-Type": "text/plain; charset=utf-8" }, "405: Method Not Allowed");
  // From the root on, so that no `..` leads out of it.
  const relative = normalize(`/${path.join("/")}`), file = join(root, relative);
  const found = await stat(file).catch(() => undefined);
  if (found?.isDirectory()) {
    if (path.length === 0 || path.at(-1) !== "") return response.send(301, { Location: `${encodeURIComponent(path.at(-1) ?? "logs")}/` });
    return response.send(200, html, listing((await readdir(file, { withFileTypes: true })).map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))));
  }
  // A pipe would be waited for.
  if (!found?.isFile() || relative.endsWith("/")) throw noSuchFile(relative);
  await sendFile(request, response, file);
}

const noSuchFile = (path: string): StatusError => new StatusError({ ...notFound({ group: "", resource: "logs" }, path).status, message: "404 page not found" });

/** As much as the file has now: one that is being written to has an end, too. */
async function sendFile({ signal }: HttpRequest, response: HttpResponse, path: string): Promise<void> {
  const file = await open(path);
  try {
    const { size } = await file.stat(), buffer = Buffer.allocUnsafe(block);
    let { bytesRead } = await file.read(buffer, 0, Math.min(block, size), 0);
    const stream = response.stream(200, { "Content-Type": buffer.subarray(0, bytesRead).includes(0) ? "application/octet-stream" : "text/plain; charset=utf-8" });
    for (let at = 0; bytesRead > 0 && !signal.aborted;) {
      at += bytesRead;
      if (!stream.write(Buffer.from(buffer.subarray(0, bytesRead)))) await stream.drained();
      ({ bytesRead } = await file.read(buffer, 0, Math.min(block, size - at), at));
    }
    stream.end();
  } finally {
    await file.close();
  }
}

function listing(names: readonly string[]): string {
  const links = names.toSorted().map((name) => `<a href="${name.split("/").map(encodeURIComponent).join("/")}">${Bun.escapeHTML(name)}</a>\n`);
  return `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${links.join("")}</pre>\n`;
}
