import { describe, expect, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kubectlMinor } from "../support/kubectl-version.ts";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { deployment, pod, service, shell, webServer } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl } = skiff;

describe("reading", () => {
  test("get in every format, with selectors", async () => {
    await kubectl.apply(pod("reader", shell("sleep 1000")), service("reader"));
    await kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=90s");
    expect(await kubectl("get", "pods", "reader")).toMatch(/^NAME +READY +STATUS +RESTARTS +AGE\nreader +1\/1 +Running +0 +\d+s\n$/);
    expect(await kubectl("get", "pods", "-o", "wide")).toMatch(/reader +1\/1 +Running +0 +\d+s +10\.42\.0\.\d+ +node-1 +<none> +<none>/);
    expect(await kubectl("get", "pod", "reader", "-o", "yaml")).toContain("\n  name: reader\n");
    expect(await kubectl("get", "pod", "reader", "-o", "jsonpath={.status.phase}")).toBe("Running");
    expect(await kubectl("get", "po", "-l", "app=reader", "-o", "name")).toBe("pod/reader\n");
    expect(await kubectl("get", "po", "-l", "app!=reader", "-o", "name")).toBe("");
    expect(await kubectl("get", "po", "-A", "--field-selector", "spec.nodeName=node-1,metadata.name=reader", "-o", "name")).toBe("pod/reader\n");
    expect(await kubectl("get", "all", "-o", "name")).toContain("service/reader\n");
    expect(await kubectl("get", "svc,endpoints,endpointslices", "--show-labels")).toContain("kubernetes.io/service-name=reader");
    expect(await kubectl("get", "pods", "--chunk-size=1", "-A", "-o", "name")).toContain("pod/reader");
    const missing = await kubectl.outcome(["get", "pod", "nobody"]);
    expect(missing).toMatchObject({ exitCode: 1, stderr: 'Error from server (NotFound): pods "nobody" not found\n' });
  });

  test("describe tells of a pod, its Events, and a node", async () => {
    await eventually(async () => {
      const text = await kubectl("describe", "pod", "reader");
      for (const part of [/^Name: +reader$/m, /^Node: +node-1\/192\.168\.73\.2$/m, /^Status: +Running$/m, /Ready +True/, /^QoS Class: +BestEffort$/m, /Normal +Scheduled .* Successfully assigned default\/reader to node-1/, /Normal +Started/]) expect(text).toMatch(part);
    });
    expect(await kubectl("describe", "node", "node-1")).toMatch(/Non-terminated Pods: +\(\d+ in total\)/);
    await eventually(async () => expect(await kubectl("describe", "svc", "reader")).toMatch(/^Endpoints: +10\.42\.0\.\d+:80$/m));
  });

  test("get -w shows changes as they come", async () => {
    const watching = kubectl.start(["get", "pods", "-w"]);
    await watching.until(/reader/);
    await kubectl.apply(pod("watched", shell("sleep 1000")));
    await watching.until(/watched +0\/1 +Pending[\s\S]*watched +0\/1 +ContainerCreating[\s\S]*watched +1\/1 +Running/);
    await kubectl("delete", "pod", "watched", "--wait=false");
    await watching.until(/watched +1\/1 +Terminating/);
    await watching.stop();
  });

  test("explain, api-resources, api-versions, version, cluster-info", async () => {
    expect(await kubectl("explain", "pod.spec.containers.livenessProbe")).toMatch(/(FIELD: livenessProbe <Probe>|RESOURCE: livenessProbe <Object>)[\s\S]*periodSeconds\s<integer>/);
    expect(await kubectl("explain", "deployment", "--recursive")).toContain("maxSurge");
    expect(await kubectl("api-resources")).toMatch(/^deployments +deploy +apps\/v1 +true +Deployment$/m);
    expect(await kubectl("api-resources", "--namespaced=false", "-o", "name")).toContain("nodes\n");
    expect(await kubectl("api-versions")).toContain("rbac.authorization.k8s.io/v1\n");
    expect(await kubectl("version")).toMatch(/Server Version: .*v1\.36/);
    expect(await kubectl("cluster-info")).toContain("is running at");
  });

  test("events, of one object too", async () => {
    if (kubectlMinor() >= 26) expect(await kubectl("events", "--for", "pod/reader")).toMatch(/Normal +Scheduled +Pod\/reader/);
    expect(await kubectl.eventsOf("reader")).toMatch(/Normal +Scheduled +pod\/reader/);
    expect(await kubectl("get", "events", "--field-selector", "involvedObject.name=reader,reason=Started", "-o", "name")).toMatch(/^event\/reader\./);
  });
});

describe("writing", () => {
  test("create, label, annotate, patch, edit, delete", async () => {
    expect(await kubectl("create", "configmap", "settings", "--from-literal=colour=blue")).toBe("configmap/settings created\n");
    expect((await kubectl.outcome(["create", "configmap", "settings"])).stderr).toContain('configmaps "settings" already exists');
    await kubectl("label", "configmap", "settings", "tier=front");
    await kubectl("annotate", "configmap", "settings", "note=hello there");
    await kubectl("patch", "configmap", "settings", "-p", '{"data":{"size":"10"}}');
    await kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"colour":null}}');
    await kubectl("patch", "configmap", "settings", "--type=json", "-p", '[{"op":"add","path":"/data/shape","value":"round"}]');
    const editor = join(skiff.directory, "editor.sh");
    writeFileSync(editor, "#!/bin/sh\nsed -i 's/round/square/' \"$1\"\n");
    chmodSync(editor, 0o755);
    expect(await kubectl.with({ env: { KUBE_EDITOR: editor } })("edit", "configmap", "settings")).toContain("edited");
    const { data, metadata } = await kubectl.get("configmap", "settings");
    expect(data).toEqual({ size: "10", shape: "square" });
    expect(metadata).toMatchObject({ labels: { tier: "front" }, annotations: { note: "hello there" } });
    expect(await kubectl("delete", "configmap", "settings")).toContain('configmap "settings" deleted');
    expect((await kubectl.outcome(["get", "configmap", "settings"])).exitCode).toBe(1);
  });

  test("apply creates, configures, prunes what left the manifest, and leaves what is the same", async () => {
    const manifest = (data: object): object => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "applied" }, data });
    expect(await kubectl.apply(manifest({ a: "1", b: "2" }))).toBe("configmap/applied created\n");
    expect(await kubectl.apply(manifest({ a: "1", b: "2" }))).toBe("configmap/applied unchanged\n");
    await kubectl("patch", "configmap", "applied", "--type=merge", "-p", '{"data":{"other":"kept"}}');
    expect(await kubectl.apply(manifest({ a: "9" }))).toBe("configmap/applied configured\n");
    expect((await kubectl.get("configmap", "applied")).data).toEqual({ a: "9", other: "kept" });
    const diff = await kubectl.outcome(["diff", "-f", "-"], { input: JSON.stringify(manifest({ a: "10" })) });
    expect(diff.exitCode).toBe(1);
    expect(diff.stdout).toContain("+  a: \"10\"");
  });

  test("apply refuses unknown fields and says where", async () => {
    const { exitCode, stderr } = await kubectl.outcome(["apply", "-f", "-"], { input: JSON.stringify(deployment("typo", 1, { ...shell("sleep 1"), imagePullPolice: "Never" } as never)) });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/unknown field "(spec\.template\.spec\.containers\[0\]\.)?imagePullPolice"/);
    expect((await kubectl.outcome(["get", "deploy", "typo"])).exitCode).toBe(1);
  });

  test("dry runs change nothing", async () => {
    expect(await kubectl("create", "configmap", "dry", "--dry-run=server")).toContain("created (server dry run)");
    expect((await kubectl.outcome(["get", "configmap", "dry"])).exitCode).toBe(1);
  });

  test("run, create deployment, expose, scale, set image, rollout", async () => {
    expect(await kubectl.with({ input: "echo from a pod" })("run", "once", "--image=localhost/busybox:1", "--restart=Never", "--rm", "-i", "--quiet", "--", "sh")).toContain("from a pod");
    await kubectl.apply(deployment("web", 1, webServer("echo one > /www/index.html")));
    await kubectl("expose", "deployment", "web", "--port=80");
    await kubectl("rollout", "status", "deployment/web", "--timeout=90s");
    await kubectl("scale", "deployment", "web", "--replicas=2");
    await kubectl("rollout", "status", "deployment/web", "--timeout=90s");
    expect((await kubectl.get("deployment", "web")).status).toMatchObject({ replicas: 2, readyReplicas: 2, availableReplicas: 2 });
    await kubectl("set", "image", "deployment/web", "main=localhost/nothing:1");
    const stuck = await kubectl.outcome(["rollout", "status", "deployment/web", "--timeout=2s"]);
    expect(stuck.exitCode).toBe(1);
    expect((await kubectl.get("deployment", "web")).status.availableReplicas).toBe(2);
    await eventually(async () => expect(await kubectl("rollout", "history", "deployment/web")).toMatch(/REVISION +CHANGE-CAUSE\n1 +<none>\n2 +<none>/));
    expect(await kubectl("rollout", "undo", "deployment/web")).toContain("rolled back");
    await kubectl("rollout", "status", "deployment/web", "--timeout=90s");
    expect(await kubectl("rollout", "history", "deployment/web", "--revision=3")).toContain("localhost/busybox:1");
    const before = (await kubectl.items("pods", "-l", "app=web")).map(({ metadata }) => metadata.uid);
    await kubectl("rollout", "restart", "deployment/web");
    await kubectl("rollout", "status", "deployment/web", "--timeout=90s");
    const after = (await kubectl.items("pods", "-l", "app=web")).filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => metadata.uid);
    expect(after).toHaveLength(2);
    expect(after.filter((uid) => before.includes(uid))).toEqual([]);
    await kubectl("rollout", "pause", "deployment/web");
    await kubectl("set", "env", "deployment/web", "PAUSED=yes");
    await kubectl("rollout", "resume", "deployment/web");
    await kubectl("rollout", "status", "deployment/web", "--timeout=90s");
    expect(await kubectl("delete", "deployment", "web", "--cascade=foreground", "--timeout=90s")).toContain("deleted");
    expect(await kubectl("get", "rs,pods", "-l", "app=web", "-o", "name")).toBe("");
  });

  test("wait for conditions, for fields, for the end", async () => {
    // It is still there when the last command begins.
    await kubectl.apply(pod("waited", shell("sleep 1000"), { terminationGracePeriodSeconds: 10 }));
    await kubectl("wait", "--for=condition=Ready", "pod/waited", "--timeout=90s");
    if (kubectlMinor() >= 23) await kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod/waited", "--timeout=90s");
    await kubectl("delete", "pod", "waited", "--wait=false");
    await kubectl("wait", "--for=delete", "pod/waited", "--timeout=90s");
  });

  test("a namespace takes everything in it along", async () => {
    await kubectl("create", "namespace", "passing");
    await kubectl.with({ input: JSON.stringify(deployment("web", 1, shell("sleep 1000"))) })("-n", "passing", "apply", "-f", "-");
    await kubectl("-n", "passing", "rollout", "status", "deployment/web", "--timeout=90s");
    expect((await kubectl.get("-n", "passing", "configmap", "kube-root-ca.crt")).data["ca.crt"]).toContain("BEGIN CERTIFICATE");
    await kubectl("delete", "namespace", "passing", "--timeout=90s");
    expect((await kubectl.outcome(["get", "namespace", "passing"])).exitCode).toBe(1);
  });
});

describe("permissions", () => {
  test("auth can-i, and what a service account may do", async () => {
    expect(await kubectl("auth", "can-i", "delete", "nodes")).toBe("yes\n");
    await kubectl("create", "serviceaccount", "viewer");
    await kubectl("create", "rolebinding", "viewer", "--clusterrole=view", "--serviceaccount=default:viewer");
    const as = ["--as=system:serviceaccount:default:viewer"];
    await eventually(async () => expect(await kubectl("auth", "can-i", "list", "pods", ...as)).toBe("yes\n"));
    expect(await kubectl.outcome(["auth", "can-i", "create", "pods", ...as])).toMatchObject({ exitCode: 1, stdout: "no\n" });
    expect((await kubectl.outcome(["auth", "can-i", "list", "pods", "-n", "kube-system", ...as])).stdout).toBe("no\n");
    expect(await kubectl("auth", "can-i", "--list", ...as)).toMatch(/^pods .*\[get list watch\]$/m);
    const token = kubectlMinor() >= 24 ? (await kubectl("create", "token", "viewer")).trim() : await kubectl.token("viewer");
    const asToken = ["--token", token, "--kubeconfig", "/dev/null", "--server", "https://127.0.0.1:6443", "--insecure-skip-tls-verify"];
    expect(await kubectl("get", "pods", ...asToken)).toContain("reader");
    expect((await kubectl.outcome(["delete", "pod", "reader", ...asToken])).stderr).toContain('pods "reader" is forbidden: User "system:serviceaccount:default:viewer" cannot delete resource "pods" in API group "" in the namespace "default"');
    if (kubectlMinor() >= 28) expect(await kubectl("auth", "whoami", ...asToken)).toContain("system:serviceaccount:default:viewer");
  });
});
