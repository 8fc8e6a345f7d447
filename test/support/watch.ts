import type { TestApiServer } from "./apiserver.ts";

export interface WatchFrame {
  type: string;
  object: { kind?: string; metadata?: Record<string, unknown>; [field: string]: unknown };
}

/** Reads `count` events of a watch, or fewer when it ends or 30 s pass, and hangs up. `onFrame` is told of each as it comes. */
export async function readWatch(server: TestApiServer, path: string, count: number, { headers = {}, onFrame }: { headers?: Record<string, string>; onFrame?(frame: WatchFrame): void } = {}): Promise<WatchFrame[]> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), 30_000);
  const frames: WatchFrame[] = [];
  try {
    const response = await server.fetch(path, { headers, signal: abort.signal });
    let text = "";
    const decoder = new TextDecoder();
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
        frames.push(JSON.parse(text.slice(0, end)) as WatchFrame);
        onFrame?.(frames.at(-1)!);
        text = text.slice(end + 1);
      }
      if (frames.length >= count) break;
    }
  } catch (error) {
    if (!abort.signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
  return frames;
}
