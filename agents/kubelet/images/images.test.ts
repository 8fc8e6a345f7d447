import { expect, test } from "bun:test";
import type { Secret } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import { unused } from "./image-gc.ts";
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
  expect(credentialsFor("registry.example.com/team/app", secrets).map(({ username, password }) => `${username}/${password}`)).toEqual(["t/q", "u/p:w"]);
  expect(credentialsFor("registry.example.com/else", secrets).map(({ username }) => username)).toEqual(["u"]);
  expect(credentialsFor("busybox", [secretOf({ "https://index.docker.io/v1/": { username: "hub" } })]).map(({ username }) => username)).toEqual(["hub"]);
  expect(credentialsFor("a.example.com/x", [secretOf({ "*.example.com": { username: "star" } })]).map(({ username }) => username)).toEqual(["star"]);
  expect(credentialsFor("x", [{ metadata: {}, data: { ".dockerconfigjson": btoa("no json") } }])).toEqual([]);
});

test("only images that nobody needs are deleted, the largest first", () => {
  const pods: Pod[] = [{ metadata: {}, spec: { containers: [{ name: "c", image: "waits" }] } }];
  const images = [
    { id: "1", repoTags: ["docker.io/library/small:1"], size: 1 }, { id: "2", repoTags: ["docker.io/library/big:1"], size: 9 }, { id: "3", repoTags: ["docker.io/library/waits:latest"], size: 5 },
    { id: "4", repoTags: ["docker.io/library/used:1"], size: 5 }, { id: "5", repoTags: ["localhost/pause:1"], size: 5, pinned: true },
  ];
  expect(unused(images, new Set(["4"]), pods).map(({ id }) => id)).toEqual(["2", "1"]);
});
