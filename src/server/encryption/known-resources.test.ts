import { expect, test } from "bun:test";
import { builtins } from "../../apis/builtins.ts";
import { mustBeKnown } from "./known-resources.ts";

test.each(["secrets", "configmaps", "secrets.core", "deployments.apps", "leases.coordination.k8s.io", "events", "widgets.example.com"])("%s can be encrypted", (name) => {
  expect(() => mustBeKnown(["secrets", name], builtins)).not.toThrow();
});

test.each(["secret", "Secrets", "deployments", "deployment.apps", "events.events.k8s.io"])("%s is nothing that is stored, and would lie in plain", (name) => {
  expect(() => mustBeKnown(["secrets", name], builtins)).toThrow(`nothing is stored as ${JSON.stringify(name)}: write names as`);
});
