import { decodeMessages, encodeMessage, flag, type Message, messageType } from "./message.ts";
import { NetlinkError, type ForwardingEntry, type Link, type LinkAddress, type Neighbour, type Netlink, type NetlinkChange, type NewLink, type Route } from "./netlink.ts";
import * as rt from "./rtnetlink.ts";
import { errorName, type NetlinkSocket, openNetlinkSocket } from "./socket.ts";

const maxDumpTries = 10;

/** The kernel's own, in the network namespace that the calling thread is in. */
export function openNetlink(): Netlink {
  return new KernelNetlink(openNetlinkSocket());
}

class KernelNetlink implements Netlink {
  #sequence = 0;
  readonly #watchers = new Set<() => void>();
  constructor(private readonly socket: NetlinkSocket) {}

  links = (): Link[] => this.#dump(rt.rtm.getLink, rt.linkHeader(), "links").map(rt.readLink);
  addresses = (): LinkAddress[] => this.#dump(rt.rtm.getAddr, new Uint8Array(8), "addresses").flatMap((message) => rt.readAddress(message) ?? []);
  routes = (): Route[] => this.#dump(rt.rtm.getRoute, rt.routeDump(), "routes").flatMap((message) => rt.readRoute(message) ?? []);
  neighbours = (): Neighbour[] => this.#dump(rt.rtm.getNeigh, rt.neighbourHeader(rt.familyNumber.any), "neighbours").flatMap((message) => {
    const found = rt.readNeighbour(message);
    return found && !found.forwarding ? { index: found.index, address: found.address, mac: found.mac } : [];
  });
  forwarding = (index: number): ForwardingEntry[] => this.#dump(rt.rtm.getNeigh, rt.neighbourHeader(rt.familyNumber.bridge), "forwarding entries").flatMap((message) => {
    const found = rt.readNeighbour(message);
    return found?.index === index ? { mac: found.mac, destination: found.address } : [];
  });

  addLink(link: NewLink): number {
    this.#ask(rt.rtm.newLink, flag.create | flag.excl, rt.newLink(link), `the link ${link.name} could not be made`);
    const { index } = this.links().find(({ name }) => name === link.name)!;
    if (link.kind === "vxlan") this.#unless(["EOPNOTSUPP", "EAFNOSUPPORT", "EINVAL"], () => this.#ask(rt.rtm.newLink, 0, rt.withoutLinkLocal(index), `the link ${link.name} could not be set up`));
    return index;
  }
  changeLink(index: number, change: { up?: boolean; mtu?: number; mac?: string }): void {
    this.#ask(rt.rtm.newLink, 0, rt.changedLink(index, change), `link ${index} could not be changed`);
  }
  removeLink(index: number): void {
    this.#ask(rt.rtm.delLink, 0, { fixed: rt.linkHeader(index), attributes: [] }, `link ${index} could not be removed`);
  }
  addAddress(index: number, address: string, prefix: number): void {
    this.#unless(["EEXIST"], () => this.#ask(rt.rtm.newAddr, flag.create | flag.excl, rt.addressRequest(index, address, prefix), `the address ${address} could not be added`));
  }
  removeAddress(index: number, address: string, prefix: number): void {
    this.#ask(rt.rtm.delAddr, 0, rt.addressRequest(index, address, prefix), `the address ${address} could not be removed`);
  }
  replaceRoute(route: Route): void {
    this.#ask(rt.rtm.newRoute, flag.create | flag.replace, rt.routeRequest(route), `the route to ${route.destination} could not be set`);
  }
  removeRoute(route: Route): void {
    this.#ask(rt.rtm.delRoute, 0, rt.routeRequest(route), `the route to ${route.destination} could not be removed`);
  }
  replaceNeighbour(neighbour: Neighbour): void {
    this.#ask(rt.rtm.newNeigh, flag.create | flag.replace, rt.neighbourRequest(neighbour), `the neighbour ${neighbour.address} could not be set`);
  }
  removeNeighbour(neighbour: Neighbour): void {
    this.#ask(rt.rtm.delNeigh, 0, rt.neighbourRequest(neighbour), `the neighbour ${neighbour.address} could not be removed`);
  }
  replaceForwarding(index: number, entry: ForwardingEntry): void {
    this.#ask(rt.rtm.newNeigh, flag.create | flag.replace, rt.forwardingRequest(index, entry), `the forwarding to ${entry.destination} could not be set`);
  }
  removeForwarding(index: number, entry: ForwardingEntry): void {
    this.#ask(rt.rtm.delNeigh, 0, rt.forwardingRequest(index, entry), `the forwarding to ${entry.destination} could not be removed`);
  }

  watch(listener: (change: NetlinkChange) => void): () => void {
    const stop = watchChanges(listener);
    this.#watchers.add(stop);
    return () => {
      this.#watchers.delete(stop);
      stop();
    };
  }
  close(): void {
    for (const stop of this.#watchers) stop();
    this.socket.close();
  }

  /** Sends a request and waits for the kernel's yes or no. */
  #ask(type: number, flags: number, { fixed, attributes }: rt.Request, failure: string): void {
    const sequence = ++this.#sequence;
    this.socket.send(encodeMessage(type, flag.request | flag.ack | flags, sequence, fixed, attributes));
    for (const message of decodeMessages(this.socket.receive()).messages) {
      const error = message.type === messageType.error ? -message.payload.getInt32(0, true) : 0;
      if (error) throw new NetlinkError(errorName(error), failure);
    }
  }

  /** All of a kind. When the kernel's list has changed while it told it, it is asked again. */
  #dump(type: number, fixed: Uint8Array, what: string): Message[] {
    for (let tries = 0; tries < maxDumpTries; tries++) {
      this.socket.send(encodeMessage(type, flag.request | flag.dump, ++this.#sequence, fixed, []));
      const { messages, interrupted } = this.#receiveDump(what);
      if (!interrupted) return messages;
    }
    throw new NetlinkError("EAGAIN", `the kernel's ${what} change too fast to be read`);
  }

  #receiveDump(what: string): { messages: Message[]; interrupted: boolean } {
    const found: Message[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of decodeMessages(this.socket.receive()).messages) {
        interrupted ||= (message.flags & flag.dumpInterrupted) !== 0;
        if (message.type === messageType.done) return { messages: found, interrupted };
        if (message.type === messageType.error) throw new NetlinkError(errorName(-message.payload.getInt32(0, true)), `the kernel's ${what} could not be read`);
        found.push(message);
      }
    }
  }

  #unless(codes: readonly string[], act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof NetlinkError && codes.includes(error.code))) throw error;
    }
  }
}

/** Reads changes as the kernel tells them, woken by epoll. When it had to drop some, the listener hears "lost" and a fresh socket goes on. */
function watchChanges(listener: (change: NetlinkChange) => void): () => void {
  let stopped = false;
  let cancel = (): void => undefined;
  const listen = (): void => {
    const socket = openNetlinkSocket(rt.watchedGroups);
    const reader = Bun.file(socket.fd).stream().getReader();
    cancel = () => void reader.cancel().then(() => socket.close(), () => socket.close());
    const read = async (): Promise<void> => {
      for (;;) {
        const { value } = await reader.read();
        if (stopped) return;
        if (!value) break;
        const { messages, whole } = decodeMessages(value);
        for (const message of messages) {
          const change = rt.readChange(message);
          if (change) listener(change);
        }
        if (!whole) listener({ kind: "lost" });
      }
      throw new NetlinkError("ENOBUFS", "the watch ended");
    };
    read().catch(() => {
      if (stopped) return;
      socket.close();
      listen();
      listener({ kind: "lost" });
    });
  };
  listen();
  return () => {
    if (stopped) return;
    stopped = true;
    cancel();
  };
}
