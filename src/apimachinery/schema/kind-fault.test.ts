import { expect, test } from "bun:test";
import { kindFault } from "./kind-fault.ts";

/** The texts are those of kube-apiserver 1.36.3. */
test.each([
  [{}, undefined],
  [{ apiVersion: "v1", kind: "ConfigMap" }, undefined],
  [{ apiVersion: null, kind: "" }, undefined],
  [{ apiVersion: {} }, "couldn't get version/kind; json parse error: json: cannot unmarshal object into Go struct field .apiVersion of type string"],
  [{ apiVersion: 7 }, "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .apiVersion of type string"],
  [{ kind: [] }, "couldn't get version/kind; json parse error: json: cannot unmarshal array into Go struct field .kind of type string"],
  [{ kind: true }, "couldn't get version/kind; json parse error: json: cannot unmarshal bool into Go struct field .kind of type string"],
  [{ kind: "Nothing" }, 'no kind "Nothing" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"'],
  [{ kind: "Pod" }, "converting (v1.Pod) to (core.ConfigMap): unknown conversion"],
])("%p for a ConfigMap", (given, fault) => expect(kindFault(given, { group: "", version: "v1", kind: "ConfigMap" })).toBe(fault));
