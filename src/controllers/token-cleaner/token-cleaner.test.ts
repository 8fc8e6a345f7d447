import { expect, test } from "bun:test";
import type { Secret } from "../../apis/generated/core/v1.ts";
import { endOf } from "./token-cleaner.ts";

const secret = (expiration: string | undefined, { namespace = "kube-system", type = "bootstrap.kubernetes.io/token" } = {}): Secret =>
  ({ metadata: { name: "bootstrap-token-abcdef", namespace }, type, data: expiration === undefined ? {} : { expiration: Buffer.from(expiration).toString("base64") } });

test.each([
  ["with an end", secret("1970-01-01T01:00:00Z"), 3_600_000],
  ["with an end nobody can read", secret("soon"), 0],
  ["without an end", secret(undefined), undefined],
  ["elsewhere", secret("1970-01-01T01:00:00Z", { namespace: "default" }), undefined],
  ["of another kind", secret("1970-01-01T01:00:00Z", { type: "Opaque" }), undefined],
])("a token %s", (_, object, expected) => expect(endOf(object as never)).toBe(expected));
