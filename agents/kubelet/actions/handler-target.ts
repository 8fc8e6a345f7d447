import type { Container } from "../pod/pod.ts";

/** The number of a port given by number or by the name of one of the container's ports. */
export function resolvePort(port: number | string, container: Container): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port);
  if (!Number.isInteger(named) || named < 1 || named > 65_535) throw new Error(`couldn't find port: ${JSON.stringify(port)} in container ${container.name}`);
  return named;
}
