import { describe, expect, test } from "bun:test";
import { parseDeviceSetting } from "./device-setting.ts";
import { parseKubeletArgs } from "./kubelet-settings.ts";

describe("a kubelet's flags", () => {
  test("are read by their own names", () => {
    expect(parseKubeletArgs([
      "max-pods=250", "pod-manifest-path=/etc/skiff/pods", "--kube-reserved=cpu=200m,memory=256Mi", "eviction-hard=memory.available<200Mi,nodefs.available<10%", "image-maximum-gc-age=168h", "serialize-image-pulls=true", "container-log-max-size=5Mi",
      "image-gc-high-threshold=90", "image-pull-credentials-verification-policy=AlwaysVerify",
    ])).toEqual({
      maxPods: 250, staticPodPath: "/etc/skiff/pods", kubeReserved: { cpu: "200m", memory: "256Mi" }, evictionHard: ["memory.available<200Mi", "nodefs.available<10%"], imageMaximumGCAge: 168 * 3_600_000, serializeImagePulls: true,
      containerLogMaxSize: 5 * 2 ** 20, imageGCHighThresholdPercent: 90, imagePullCredentialsVerificationPolicy: "AlwaysVerify",
    });
  });

  test("are put together where commas have cut them apart", () => {
    expect(parseKubeletArgs(["kube-reserved=cpu=100m", "memory=64Mi", "eviction-hard=memory.available<5%", "pid.available<3%", "max-pods=5"]))
      .toEqual({ kubeReserved: { cpu: "100m", memory: "64Mi" }, evictionHard: ["memory.available<5%", "pid.available<3%"], maxPods: 5 });
  });

  test.each([
    ["cgroup-driver=systemd", 'the kubelet has no setting "cgroup-driver" here; it has max-pods'],
    ["max-pods=many", 'the kubelet\'s max-pods must be a whole number such as 200, not "many"'],
    ["system-reserved=gpu=1", "amounts of cpu, memory, ephemeral-storage, pid"],
    ["kube-reserved=cpu=lots", "amounts such as cpu=200m,memory=256Mi"],
    ["image-gc-low-threshold=90", "must be below image-gc-high-threshold 85"],
    ["container-log-max-files=1", "must be 2 or more"],
    ["image-maximum-gc-age=soon", "a duration such as 2m or 24h"],
    ["image-pull-credentials-verification-policy=Sometimes", "NeverVerify, NeverVerifyPreloadedImages, AlwaysVerify"],
  ])("%s is refused", (arg, message) => expect(() => parseKubeletArgs([arg])).toThrow(message));
});

describe("a device", () => {
  test.each([
    ["serial", { resource: "skiff.io/serial", paths: ["/dev/ttyUSB*", "/dev/ttyACM*", "/dev/ttyAMA*"], usb: [], count: 1, permissions: "rw", all: false }],
    ["example.com/modem=usb:12D1:1506|usb:12d1:1f01:A/7;count=3", { resource: "example.com/modem", paths: [], usb: [{ vendor: "12d1", product: "1506" }, { vendor: "12d1", product: "1f01", serial: "A/7" }], count: 3, permissions: "rw", all: false }],
    ["board=/dev/gpiochip*|/dev/gpiomem; all; permissions=r", { resource: "skiff.io/board", paths: ["/dev/gpiochip*", "/dev/gpiomem"], usb: [], count: 1, permissions: "r", all: true }],
  ])("%s", (text, setting) => expect(parseDeviceSetting(text)).toEqual(setting));

  test.each([
    ["", "must begin with a name"], ["kubernetes.io/x=/dev/x", "must begin with a name"], ["radio", "must say which devices it means, such as radio=/dev/ttyUSB*"], ["radio=", "must say which devices"],
    ["radio=ttyUSB0", "neither a path"], ["radio=/dev/x;count=0", "unknown option"], ["radio=/dev/x;shared", "unknown option"], ["radio=/dev/../etc", "neither a path"],
  ])("%p is refused", (text, message) => expect(() => parseDeviceSetting(text)).toThrow(message));
});
