import { expect, test } from "bun:test";
import type { Secret } from "../../../src/apis/generated/core/v1.ts";
import { normalizeImageName, parseImageName } from "./image-name.ts";
import { withDefaultTag } from "./image-puller.ts";
import { credentialsFor } from "./pull-secrets.ts";

const digest = `sha256:${"a".repeat(64)}`;
test.each([
  ["busybox", "docker.io/library/busybox:latest"], ["busybox:1", "docker.io/library/busybox:1"], ["user/app", "docker.io/user/app:latest"], ["localhost/app", "localhost/app:latest"],
  ["localhost:5000/app:2", "localhost:5000/app:2"], ["registry.example.com/a/b/c:v1", "registry.example.com/a/b/c:v1"], [`busybox@${digest}`, `docker.io/library/busybox@${digest}`], ["index.docker.io/x", "docker.io/library/x:latest"],
])("%s is %s", (image, expected) => expect(normalizeImageName(image)).toBe(expected));

test.each(["", "UPPER", "a b", "x:", "/x", "a//b"])("no image name: %p", (image) => expect(parseImageName(image)).toBeUndefined());

test.each([["a", "a:latest"], ["a:1", "a:1"], ["h:5000/a", "h:5000/a:latest"], [`a@${digest}`, `a@${digest}`], ["a:latest", "a:latest"]])("default tag of %s", (image, expected) => expect(withDefaultTag(image)).toBe(expected));

const secretOf = (auths: object): Secret => ({ metadata: {}, type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": btoa(JSON.stringify({ auths })) } });

test("credentials of the registry, the closest first", () => {
  const secrets = [secretOf({ "https://registry.example.com/v1/": { auth: btoa("u:p:w") }, "registry.example.com/team": { username: "t", password: "q" }, "other.example.com": { username: "no" } })];
  expect(credentialsFor("registry.example.com/team/app", secrets).map(({ auth: { username, password } }) => `${username}/${password}`)).toEqual(["t/q", "u/p:w"]);
  expect(credentialsFor("registry.example.com/else", secrets).map(({ auth }) => auth.username)).toEqual(["u"]);
  expect(credentialsFor("busybox", [secretOf({ "https://index.docker.io/v1/": { username: "hub" } })]).map(({ auth }) => auth.username)).toEqual(["hub"]);
  expect(credentialsFor("a.example.com/x", [secretOf({ "*.example.com": { username: "star" } })]).map(({ auth }) => auth.username)).toEqual(["star"]);
  expect(credentialsFor("x", [{ metadata: {}, data: { ".dockerconfigjson": btoa("no json") } }])).toEqual([]);
});
