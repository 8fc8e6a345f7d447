import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import { dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";
import { portNumberErrors } from "../../apimachinery/validation/values.ts";

/** The Service that a webhook is reached by, as the kinds that name one have it. */
interface ServiceReference {
  readonly namespace?: string;
  readonly name?: string;
  readonly path?: string;
  readonly port?: number;
}

const wantedForm = "; desired format: https://host[/path]";

/** Where a webhook is called. Source: k8s.io/apiserver/pkg/util/webhook ValidateWebhookURL. */
export function webhookUrl(field: string, text: string): FieldError[] {
  const [, scheme = "", rest = ""] = /^(?:([A-Za-z][A-Za-z0-9+.-]*):)?(.*)$/s.exec(text) ?? [];
  const problem = urlProblem(text);
  if (problem) return [required(field, `url must be a valid URL: parse ${JSON.stringify(text)}: ${problem}${wantedForm}`)];
  const errors: FieldError[] = [];
  const [, authority = "", query, fragment] = /^(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/s.exec(rest) ?? [];
  const at = authority.lastIndexOf("@");
  if (scheme.toLowerCase() !== "https") errors.push(invalidValue(field, scheme.toLowerCase(), `'https' is the only allowed URL scheme${wantedForm}`));
  if (authority.slice(at + 1) === "") errors.push(invalidValue(field, "", `host must be specified${wantedForm}`));
  if (at >= 0) errors.push(invalidValue(field, authority.slice(0, at), "user information is not permitted in the URL"));
  if (fragment) errors.push(invalidValue(field, fragment, "fragments are not permitted in the URL"));
  if (query) errors.push(invalidValue(field, query, "query parameters are not permitted in the URL"));
  return errors;
}

/** What Go's net/url refuses, in its words. */
function urlProblem(text: string): string | undefined {
  if (/[^ -~\u0080-\u{10ffff}]/u.test(text)) return "net/url: invalid control character in URL";
  if (text.startsWith(":")) return "missing protocol scheme";
  const escape = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(text);
  if (escape) return `invalid URL escape ${JSON.stringify(escape[0])}`;
  if (!/^([A-Za-z][A-Za-z0-9+.-]*:|[^:]*([/?#]|$))/.test(text)) return "first path segment in URL cannot contain colon";
  const [, port] = /^[^:/?#]*:?\/\/(?:[^/?#@]*@)?(?:\[[^\]]*\]|[^:/?#]*)(:[^/?#]*)?/.exec(text) ?? [];
  if (port && !/^:\d*$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`;
  return /^[^:/?#]*:?\/\/[^/?#]* /.test(text) ? `invalid character " " in host name` : undefined;
}

/** Source: k8s.io/apiserver/pkg/util/webhook ValidateWebhookService. */
export function webhookService(field: string, { namespace, name, path, port = 443 }: ServiceReference): FieldError[] {
  return [
    ...(name ? [] : [required(`${field}.name`)]),
    ...(namespace ? [] : [required(`${field}.namespace`)]),
    ...portNumberErrors(port).map((message) => invalidValue(`${field}.port`, port, `port is not valid: ${message}`)),
    ...(path === undefined ? [] : servicePath(`${field}.path`, path)),
  ];
}

function servicePath(field: string, path: string): FieldError[] {
  if (path === "" || path === "/") return [];
  if (path === "//") return [invalidValue(field, path, "segment[0] may not be empty")];
  const errors = path.startsWith("/") ? [] : [invalidValue(field, path, "must start with a '/'")];
  path.slice(1).replace(/\/$/, "").split("/").forEach((step, index) => {
    const wrong = step === "" ? [`segment[${index}] may not be empty`] : dns1123SubdomainErrors(step).map((message) => `segment[${index}]: ${message}`);
    errors.push(...wrong.map((message) => invalidValue(field, path, message)));
  });
  return errors;
}
