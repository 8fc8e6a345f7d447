import type { HttpHandler } from "../../base/http.ts";

/** GETs a text from a kubelet. Throws an Error when it answers with anything but 200, or not before `signal` aborts. */
export function askKubelet(kubelet: HttpHandler, url: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error(`no answer to ${url} in time`)), { once: true });
    let status = 0;
    const parts: Uint8Array[] = [];
    const end = (): void => {
      const text = Buffer.concat(parts).toString();
      if (status === 200) resolve(text);
      else reject(new Error(`${status}: ${text}`));
    };
    const take = (chunk: string | Uint8Array): boolean => {
      parts.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      return true;
    };
    const answer = kubelet({ method: "GET", url, headers: { accept: "text/plain" }, remoteAddress: "", body: () => Promise.resolve(new Uint8Array()), signal }, {
      get started() {
        return status !== 0;
      },
      send(code, _, body = "") {
        status = code;
        take(body);
        end();
      },
      stream(code) {
        status = code;
        return { write: take, writeFramed: () => {
          throw new Error("nobody watches here");
        }, queuedBytes: 0, drained: () => Promise.resolve(), end, abort: () => reject(new Error(`the answer to ${url} broke off`)) };
      },
      upgrade() {
        throw new Error("nobody asked for another protocol");
      },
    });
    Promise.resolve(answer).catch(reject);
  });
}
