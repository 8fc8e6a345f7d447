/** Devices of this machine that pods may ask for by a resource's name, without being privileged. */
export interface DeviceSetting {
  /** `skiff.io/serial`. */
  resource: string;
  /** Device files: globs such as `/dev/ttyUSB*`. */
  paths: readonly string[];
  /** USB devices by vendor and product, in lower-case hexadecimal; and by serial number where that is given. */
  usb: readonly { vendor: string; product: string; serial?: string }[];
  /** How many containers may have each device at the same time. */
  count: number;
  /** Of `r`, `w` and `m`. */
  permissions: string;
  /** A container gets all devices there are, not one; also when there are none. */
  all: boolean;
}

/** What is usually meant, where only a name is given. */
const presets: Readonly<Record<string, readonly string[]>> = {
  serial: ["/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttyAMA*"], gpio: ["/dev/gpiochip*"], i2c: ["/dev/i2c-*"], spi: ["/dev/spidev*"], video: ["/dev/video*"],
  input: ["/dev/input/event*"], tpm: ["/dev/tpmrm*"], kvm: ["/dev/kvm"], fuse: ["/dev/fuse"], render: ["/dev/dri/renderD*"],
};

const ownDomain = "skiff.io/";

/**
 * Reads `NAME[=WHAT|WHAT…][;count=N][;permissions=rwm][;all]`: WHAT is a glob below /dev, or `usb:VENDOR:PRODUCT[:SERIAL]`; a NAME without a domain is
 * below skiff.io. Throws an Error with a sentence that says what is wrong.
 */
export function parseDeviceSetting(text: string): DeviceSetting {
  const [head = "", ...options] = text.split(";").map((part) => part.trim());
  const [, name = "", what] = /^([^=]*)(?:=(.*))?$/s.exec(head)!;
  const fail = (problem: string): never => {
    throw new Error(`the device ${JSON.stringify(text)} ${problem}`);
  };
  if (!/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?$/.test(name) || name.includes("kubernetes.io/")) fail("must begin with a name such as serial or example.com/modem");
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (what === undefined && !preset) fail(`must say which devices it means, such as ${name}=/dev/ttyUSB*; without that there are ${Object.keys(presets).join(", ")}`);
  const sources = what === undefined ? preset! : what.split("|").map((source) => source.trim()).filter(Boolean);
  if (sources.length === 0) fail(`must say which devices it means, such as ${name}=/dev/ttyUSB*`);
  const setting = { resource: name.includes("/") ? name : `${ownDomain}${name}`, paths: [] as string[], usb: [] as { vendor: string; product: string; serial?: string }[], count: 1, permissions: "rw", all: false };
  for (const source of sources) {
    const usb = /^usb:([0-9a-fA-F]{4}):([0-9a-fA-F]{4})(?::(.+))?$/.exec(source);
    if (usb) setting.usb.push({ vendor: usb[1]!.toLowerCase(), product: usb[2]!.toLowerCase(), ...(usb[3] ? { serial: usb[3] } : {}) });
    else if (/^\/[^\0]+$/.test(source) && !source.includes("/../")) setting.paths.push(source);
    else fail(`names ${JSON.stringify(source)}, which is neither a path such as /dev/ttyUSB* nor usb:VENDOR:PRODUCT such as usb:0403:6001`);
  }
  for (const option of options) {
    const [key, value = ""] = option.split("=");
    if (key === "count" && /^[1-9]\d{0,3}$/.test(value)) setting.count = Number(value);
    else if (key === "permissions" && /^(?=.)r?w?m?$/.test(value)) setting.permissions = value;
    else if (option === "all") setting.all = true;
    else fail(`has an unknown option ${JSON.stringify(option)}: there are count=N, permissions=rwm and all`);
  }
  return setting;
}
