import { afterAll, expect, test } from "bun:test";
import { proxyFor, proxyVariables, takeProxyVariables } from "./environment.ts";

afterAll(() => takeProxyVariables({ https_proxy: "", NO_PROXY: "" }));

const by = { HTTPS_PROXY: "http://proxy.lan:3128", HTTP_PROXY: "plain.lan:8080" };

test.each<[url: string, noProxy: string, goesBy: string | undefined]>([
  ["https://server.example:6443", "", "http://proxy.lan:3128/"], ["http://server.example", "", "http://plain.lan:8080/"],
  ["https://localhost:6443", "", undefined], ["https://127.0.0.5:6443", "", undefined], ["https://[::1]:6443", "", undefined],
  ["https://server.example:6443", "*", undefined],
  ["https://server.example:6443", "example", undefined], ["https://server.example:6443", ".example", undefined], ["https://server.example:6443", "*.example", undefined],
  ["https://example:6443", ".example", "http://proxy.lan:3128/"], ["https://example:6443", "example", undefined], ["https://otherexample:6443", "example", "http://proxy.lan:3128/"],
  ["https://SERVER.example", " other , Server.Example ", undefined],
  ["https://server.example:6443", "server.example:6443", undefined], ["https://server.example:6443", "server.example:443", "http://proxy.lan:3128/"], ["https://server.example", "server.example:443", undefined],
  ["https://10.1.2.3:6443", "10.0.0.0/8", undefined], ["https://11.1.2.3:6443", "10.0.0.0/8", "http://proxy.lan:3128/"], ["https://10.1.2.3:6443", "10.1.2.3", undefined], ["https://10.1.2.3:6443", "10.1.2.3:6443", undefined], ["https://10.1.2.3:6443", "10.1.2.3:443", "http://proxy.lan:3128/"],
  ["https://[fd00::5]:6443", "fd00::/16", undefined], ["https://[fd00::5]:6443", "fd00::5", undefined], ["https://[fd00::5]:6443", "[fd00::5]:6443", undefined], ["https://[fd00::5]:6443", "[fd00::5]:443", "http://proxy.lan:3128/"], ["https://[fd01::5]:6443", "fd00::/16", "http://proxy.lan:3128/"],
  ["https://server.example:6443", ", ,:80", "http://proxy.lan:3128/"],
])("%s with NO_PROXY=%s goes by %p", (url, noProxy, goesBy) => expect(proxyFor(url, { ...by, NO_PROXY: noProxy })?.href).toBe(goesBy));

test("lower case counts as well, upper case more; without a variable there is no proxy", () => {
  expect(proxyFor("https://a.example", { https_proxy: "http://lower" })?.hostname).toBe("lower");
  expect(proxyFor("https://a.example", { https_proxy: "http://lower", HTTPS_PROXY: "http://upper" })?.hostname).toBe("upper");
  expect(proxyFor("https://a.example", { HTTP_PROXY: "http://plain" })).toBeUndefined();
  expect(() => proxyFor("https://a.example", { HTTPS_PROXY: "http://a b" })).toThrow("HTTPS_PROXY is no URL");
});

test("what is taken out of the environment is kept for the programs that are started", () => {
  const environment: Record<string, string | undefined> = { PATH: "/bin", https_proxy: "http://lower", NO_PROXY: "10.0.0.0/8" };
  takeProxyVariables(environment);
  expect([environment, proxyVariables()]).toEqual([{ PATH: "/bin" }, { https_proxy: "http://lower", NO_PROXY: "10.0.0.0/8" }]);
  expect([proxyFor("https://10.1.1.1"), proxyFor("https://11.1.1.1")?.hostname]).toEqual([undefined, "lower"]);
});
