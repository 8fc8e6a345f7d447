import { expect, test } from "bun:test";
import { interfaceTo } from "./loopback.ts";

const routes = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	01002A0A	0003	0	0	0	00000000	0	0	0
veth1a	02002A0A	00000000	0005	0	0	0	FFFFFFFF	0	0	0
eth0	00002A0A	00000000	0001	0	0	0	00FFFFFF	0	0	0
`;

test.each([["10.42.0.2", "veth1a"], ["10.42.0.3", undefined], ["10.42.0.0", undefined]] as const)("the way to %s is %p", (ip, name) => expect(interfaceTo(ip, routes)).toBe(name));
