import { expect, test } from "bun:test";
import { StatusError } from "../apimachinery/status.ts";
import { noExtensionApis, unexpectedAnswer, type ExtensionRequest } from "./extension-apis.ts";

const pods: ExtensionRequest = { verb: "list", group: "metrics.k8s.io", version: "v1beta1", namespace: "n", resource: "pods" };

test.each<[code: number, request: ExtensionRequest, text: string, message: string]>([
  [404, pods, "404 page not found", "the server could not find the requested resource (get pods.metrics.k8s.io)"],
  [503, pods, "service unavailable", "the server is currently unable to handle the request (get pods.metrics.k8s.io)"],
  [500, pods, 'no "way"', 'an error on the server ("no \\"way\\"") has prevented the request from succeeding (get pods.metrics.k8s.io)'],
  [403, pods, "nobody may", "nobody may (get pods.metrics.k8s.io)"],
  [418, pods, "tea", "the server responded with the status code 418 but did not return more information (get pods.metrics.k8s.io)"],
  [404, { ...pods, verb: "delete", resource: "flunders", group: "wardle.example.com", name: "f" }, "", "the server could not find the requested resource (delete flunders.wardle.example.com f)"],
])("an answer %i that is no Status is told as client-go tells it", (code, request, text, message) => {
  const error = unexpectedAnswer(code, request, text);
  expect([error.code, error.message]).toEqual([code, message]);
});

test("where nothing is aggregated nothing is served", async () => {
  expect(noExtensionApis.served()).toEqual([]);
  const error = await noExtensionApis.request(pods).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(StatusError);
  expect((error as StatusError).reason).toBe("NotFound");
});
