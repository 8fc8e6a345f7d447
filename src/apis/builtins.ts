import type { AnyResource } from "../apimachinery/resource.ts";
import { mutatingadmissionpolicies } from "./admissionregistration/mutatingadmissionpolicy.ts";
import { mutatingadmissionpolicybindings } from "./admissionregistration/mutatingadmissionpolicybinding.ts";
import { mutatingwebhookconfigurations } from "./admissionregistration/mutatingwebhookconfiguration.ts";
import { validatingadmissionpolicies } from "./admissionregistration/validatingadmissionpolicy.ts";
import { validatingadmissionpolicybindings } from "./admissionregistration/validatingadmissionpolicybinding.ts";
import { validatingwebhookconfigurations } from "./admissionregistration/validatingwebhookconfiguration.ts";
import { customresourcedefinitions } from "./apiextensions/customresourcedefinition.ts";
import { apiservices } from "./apiregistration/apiservice.ts";
import { controllerrevisions } from "./apps/controllerrevision.ts";
import { daemonsets } from "./apps/daemonset.ts";
import { deployments } from "./apps/deployment.ts";
import { replicasets } from "./apps/replicaset.ts";
import { statefulsets } from "./apps/statefulset.ts";
import { selfsubjectreviews } from "./authentication/selfsubjectreview.ts";
import { tokenreviews } from "./authentication/tokenreview.ts";
import { localsubjectaccessreviews, selfsubjectaccessreviews, selfsubjectrulesreviews, subjectaccessreviews } from "./authorization/accessreviews.ts";
import { horizontalpodautoscalers } from "./autoscaling/horizontalpodautoscaler.ts";
import { horizontalpodautoscalersV1 } from "./autoscaling/horizontalpodautoscaler-v1.ts";
import { cronjobs } from "./batch/cronjob.ts";
import { jobs } from "./batch/job.ts";
import { certificatesigningrequests } from "./certificates/certificatesigningrequest.ts";
import { leases } from "./coordination/lease.ts";
import { bindings } from "./core/binding.ts";
import { componentstatuses } from "./core/componentstatus.ts";
import { configmaps } from "./core/configmap.ts";
import { endpoints } from "./core/endpoints.ts";
import { events } from "./core/event.ts";
import { limitranges } from "./core/limitrange.ts";
import { namespaces } from "./core/namespace.ts";
import { nodes } from "./core/node.ts";
import { pods } from "./core/pod/pod.ts";
import { podtemplates } from "./core/podtemplate.ts";
import { replicationcontrollers } from "./core/replicationcontroller.ts";
import { resourcequotas } from "./core/resourcequota.ts";
import { secrets } from "./core/secret.ts";
import { services } from "./core/service/service.ts";
import { serviceaccounts } from "./core/serviceaccount.ts";
import { persistentvolumes } from "./core/volume/persistentvolume.ts";
import { persistentvolumeclaims } from "./core/volume/persistentvolumeclaim.ts";
import { endpointslices } from "./discovery/endpointslice.ts";
import { regardingEvents } from "./events/event.ts";
import { flowschemas } from "./flowcontrol/flowschema.ts";
import { prioritylevelconfigurations } from "./flowcontrol/prioritylevelconfiguration.ts";
import { ingresses } from "./networking/ingress.ts";
import { ingressclasses } from "./networking/ingressclass.ts";
import { ipaddresses } from "./networking/ipaddress.ts";
import { networkpolicies } from "./networking/networkpolicy.ts";
import { servicecidrs } from "./networking/servicecidr.ts";
import { runtimeclasses } from "./node/runtimeclass.ts";
import { poddisruptionbudgets } from "./policy/poddisruptionbudget.ts";
import { clusterrolebindings } from "./rbac/clusterrolebinding.ts";
import { clusterroles } from "./rbac/clusterrole.ts";
import { rolebindings } from "./rbac/rolebinding.ts";
import { roles } from "./rbac/role.ts";
import { deviceclasses } from "./resource/deviceclass.ts";
import { resourceclaims } from "./resource/resourceclaim.ts";
import { resourceclaimtemplates } from "./resource/resourceclaimtemplate.ts";
import { resourceslices } from "./resource/resourceslice.ts";
import { priorityclasses } from "./scheduling/priorityclass.ts";
import { csidrivers } from "./storage/csidriver.ts";
import { csinodes } from "./storage/csinode.ts";
import { csistoragecapacities } from "./storage/csistoragecapacity.ts";
import { storageclasses } from "./storage/storageclass.ts";
import { volumeattachments } from "./storage/volumeattachment.ts";
import { volumeattributesclasses } from "./storage/volumeattributesclass.ts";

/** All kinds that are built in, in the order of discovery: the core group first, then by group and resource. */
export const builtins: readonly AnyResource[] = [
  bindings, componentstatuses, configmaps, endpoints, events, limitranges, namespaces, nodes, persistentvolumeclaims, persistentvolumes, pods, podtemplates, replicationcontrollers, resourcequotas, secrets,
  serviceaccounts, services,
  customresourcedefinitions,
  controllerrevisions, daemonsets, deployments, replicasets, statefulsets,
  cronjobs, jobs,
  poddisruptionbudgets,
  selfsubjectreviews, tokenreviews,
  horizontalpodautoscalers, horizontalpodautoscalersV1,
  localsubjectaccessreviews, selfsubjectaccessreviews, selfsubjectrulesreviews, subjectaccessreviews,
  leases,
  endpointslices,
  clusterrolebindings, clusterroles, rolebindings, roles,
  priorityclasses,
  ingressclasses, ingresses, ipaddresses, networkpolicies, servicecidrs,
  runtimeclasses,
  csidrivers, csinodes, csistoragecapacities, storageclasses, volumeattachments, volumeattributesclasses,
  mutatingadmissionpolicies, mutatingadmissionpolicybindings, mutatingwebhookconfigurations, validatingadmissionpolicies, validatingadmissionpolicybindings, validatingwebhookconfigurations,
  apiservices,
  flowschemas, prioritylevelconfigurations,
  certificatesigningrequests,
  regardingEvents,
  deviceclasses, resourceclaims, resourceclaimtemplates, resourceslices,
];

export {
  apiservices, bindings, certificatesigningrequests, clusterrolebindings, clusterroles, componentstatuses, configmaps, controllerrevisions, cronjobs,
  csidrivers, csinodes, csistoragecapacities, customresourcedefinitions, daemonsets, deployments, deviceclasses, endpoints, endpointslices, events,
  flowschemas, horizontalpodautoscalers, horizontalpodautoscalersV1, ingressclasses, ingresses, ipaddresses, jobs, leases, limitranges,
  localsubjectaccessreviews, mutatingadmissionpolicies, mutatingadmissionpolicybindings, mutatingwebhookconfigurations, namespaces, networkpolicies,
  nodes, persistentvolumeclaims, persistentvolumes, poddisruptionbudgets, pods, podtemplates, priorityclasses, prioritylevelconfigurations,
  regardingEvents, replicasets, replicationcontrollers, resourceclaims, resourceclaimtemplates, resourcequotas, resourceslices, rolebindings, roles,
  runtimeclasses, secrets, selfsubjectaccessreviews, selfsubjectreviews, selfsubjectrulesreviews, serviceaccounts, servicecidrs, services,
  statefulsets, storageclasses, subjectaccessreviews, tokenreviews, validatingadmissionpolicies, validatingadmissionpolicybindings,
  validatingwebhookconfigurations, volumeattachments, volumeattributesclasses,
};
