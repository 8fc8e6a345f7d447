import type { Library, Overload } from "../function.ts";
import { authorizers } from "./authorizer.ts";
import { comprehensions, lists, sets } from "./lists.ts";
import { namedFormats } from "./named-format.ts";
import { net } from "./net.ts";
import { operators } from "./operators.ts";
import { optionals } from "./optionals.ts";
import { quantities } from "./quantity.ts";
import { regex } from "./regex.ts";
import { semver } from "./semver.ts";
import { standard } from "./standard.ts";
import { strings } from "./strings.ts";
import { urls } from "./url.ts";

let merged: Library | undefined;

/** What every expression of Kubernetes 1.36 may call (k8s.io/apiserver/pkg/cel/environment/base.go). */
export function kubernetesLibraries(): Library {
  return (merged ??= merge([operators, standard, optionals, strings, lists, sets, comprehensions, regex, urls, quantities, net, semver, namedFormats, authorizers]));
}

/** Functions of one name from several libraries are one function with more overloads. */
export function merge(libraries: readonly Library[]): Library {
  const functions: Record<string, Overload[]> = Object.create(null) as Record<string, Overload[]>;
  for (const library of libraries) for (const [name, overloads] of Object.entries(library)) (functions[name] ??= []).push(...overloads);
  return functions;
}
