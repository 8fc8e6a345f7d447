import type { HeaderFields, HttpResponse, HttpStream } from "../../../base/http.ts";
import { passOn } from "../../../base/proxy/fetch.ts";

/** Where a page is seen: below `prefix`, the proxy's path, at `host`, as the client asked for it; its server knows itself as `target`. Both are authorities. */
export interface ProxiedPlace {
  prefix: string;
  host: string;
  target: string;
}

/**
 * A link of a page, leading through the proxy again: those to the root of the page's server, which the browser would look for at ours. Relative
 * links do so anyway; those to other servers are left alone. Source: k8s.io/apimachinery/pkg/util/proxy, rewriteURL
 */
export function linkThroughProxy(link: string, { prefix, host, target }: ProxiedPlace): string {
  const [, origin = "", authority, path = ""] = /^((?:https?:)?\/\/([^/?#]*))?(\/[^]*)?$/i.exec(link) ?? [];
  if (!path || (authority !== undefined && authority !== host && authority !== target)) return link;
  const shown = path.startsWith(prefix) ? path : prefix + path;
  return authority === host ? origin + shown : shown;
}

/** The response, whose redirections and whose pages' links lead through the proxy. Other bodies, and pages in a coding that nobody here reads, go as they come. */
export function throughProxy(response: HttpResponse, place: ProxiedPlace): HttpResponse {
  return {
    get started() { return response.started; },
    send(status, headers, body) {
      const fields = withLocation(headers, place);
      if (body === undefined || !isPage(headers) || codingOf(headers) !== "") return response.send(status, fields, body);
      // As Latin-1 each byte is a character, whatever the page's encoding is: links are ASCII.
      response.send(status, withoutLength(fields), Buffer.from(rewriter(place).transform(Buffer.from(body as string).toString("latin1")), "latin1"));
    },
    stream(status, headers) {
      const fields = withLocation(headers, place), coding = codings[codingOf(headers)];
      return isPage(headers) && coding ? pageStream(response.stream(status, withoutLength(fields)), coding, place) : response.stream(status, fields);
    },
    upgrade: (headers) => response.upgrade(headers),
  };
}

type Pipe = (body: ReadableStream<Uint8Array>) => ReadableStream<Uint8Array>;
interface Coding { decode: Pipe; encode: Pipe }

const through = (transform: CompressionStream | DecompressionStream): Pipe => (body) => body.pipeThrough(transform as unknown as ReadableWritablePair<Uint8Array, Uint8Array>);
const codings: Readonly<Record<string, Coding>> = {
  "": { decode: (body) => body, encode: (body) => body },
  gzip: { decode: (body) => through(new DecompressionStream("gzip"))(body), encode: (body) => through(new CompressionStream("gzip"))(body) },
};

/** What is written to it comes out at `out` with other links. A page that can't be read ends as a broken stream. */
function pageStream(out: HttpStream, { decode, encode }: Coding, place: ProxiedPlace): HttpStream {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const rewritten = rewriter(place).transform(new Response(decode(readable) as ReadableStream<Uint8Array<ArrayBuffer>>)).body!;
  void passOn(encode(rewritten), out);
  const write = (chunk: Uint8Array | string): boolean => {
    writer.write(typeof chunk === "string" ? Buffer.from(chunk) : chunk).catch(() => out.abort());
    return (writer.desiredSize ?? 0) > 0;
  };
  return {
    write,
    writeFramed: (framed) => write(framed.subarray(framed.indexOf(0x0a) + 1, -2)),
    get queuedBytes() { return out.queuedBytes; },
    drained: () => writer.ready.catch(() => undefined),
    end: () => void writer.close().catch(() => out.abort()),
    abort() {
      void writer.abort().catch(() => undefined);
      out.abort();
    },
  };
}

/** Attributes that hold links. Source: https://www.w3.org/TR/html401/index/attributes.html, https://html.spec.whatwg.org/#attributes-3 */
const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ["href"], applet: ["codebase"], area: ["href"], audio: ["src"], base: ["href"], blockquote: ["cite"], body: ["background"], button: ["formaction"], command: ["icon"],
  del: ["cite"], embed: ["src"], form: ["action"], frame: ["longdesc", "src"], head: ["profile"], html: ["manifest"], iframe: ["longdesc", "src"], img: ["longdesc", "src", "usemap"],
  input: ["src", "usemap", "formaction"], ins: ["cite"], link: ["href"], object: ["classid", "codebase", "data", "usemap"], q: ["cite"], script: ["src"], source: ["src"], video: ["poster", "src"],
};

function rewriter(place: ProxiedPlace): HTMLRewriter {
  const rewriting = new HTMLRewriter();
  for (const [tag, attributes] of Object.entries(linkAttributes)) {
    rewriting.on(tag, {
      element(element) {
        for (const name of attributes) {
          const link = element.getAttribute(name), shown = link && linkThroughProxy(link, place);
          if (shown && shown !== link) element.setAttribute(name, shown);
        }
      },
    });
  }
  return rewriting;
}

const nameOf = (headers: HeaderFields, wanted: string): string | undefined => Object.keys(headers).find((name) => name.toLowerCase() === wanted);
const fieldOf = (headers: HeaderFields, wanted: string): string => String(headers[nameOf(headers, wanted) ?? ""] ?? "");
const codingOf = (headers: HeaderFields): string => fieldOf(headers, "content-encoding").toLowerCase();
const isPage = (headers: HeaderFields): boolean => fieldOf(headers, "location") === "" && fieldOf(headers, "content-type").split(";")[0]!.trim().toLowerCase() === "text/html";

function withLocation(headers: HeaderFields, place: ProxiedPlace): HeaderFields {
  const name = nameOf(headers, "location");
  return name ? { ...headers, [name]: linkThroughProxy(String(headers[name]), place) } : headers;
}

const withoutLength = (headers: HeaderFields): HeaderFields => Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== "content-length"));
