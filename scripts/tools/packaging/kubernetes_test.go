package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
	"sigs.k8s.io/kubectl-validate/pkg/utils"
	"sigs.k8s.io/kubectl-validate/pkg/validator"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kubernetesMin is the oldest Kubernetes that the manifests are for, and the newest whose schemas the tool brings.
const kubernetesMin = "1.30"

// Goal: Kubernetes takes the manifests, and they say what a node needs: where it listens, who may come, how it is replaced.
// Method: kustomize builds them, kubectl-validate holds each against Kubernetes' own schema, the evaluator of pod security
// against its profile "restricted"; and what these do not judge, read from the objects.
func TestKubernetes(t *testing.T) {
	const (
		set, services, network = "kubernetes/statefulset.yaml", "kubernetes/services.yaml", "kubernetes/networkpolicy.yaml"
		pdb, overlay           = "kubernetes/poddisruptionbudget.yaml", "kubernetes-membership/kustomization.yaml"
	)
	hold(t, kubernetesFaults,
		breakage{"no such field", set, "terminationGracePeriodSeconds", "terminationGrace", "terminationGrace"},
		breakage{"no such type", set, "replicas: 3", "replicas: three", "replicas"},
		breakage{"no such file", "kubernetes/kustomization.yaml", "services.yaml", "service.yaml", "service.yaml"},
		breakage{"another selector", services, "selector: { app.kubernetes.io/name: boxoffice }", "selector: { app.kubernetes.io/name: box }", "selects no pods"},
		breakage{"another pod label", set, "matchLabels: { app.kubernetes.io/name: boxoffice }\n  # Nodes", "matchLabels: { app.kubernetes.io/name: box }\n  # Nodes", "selects no pods"},
		breakage{"no such port", services, "targetPort: http", "targetPort: web", "no port web"},
		breakage{"another port", set, "containerPort: 8080", "containerPort: 8090", "BOXOFFICE_HTTP_ADDR"},
		breakage{"another address", set, "$(POD_IP):8082", "$(POD_IP):8083", "BOXOFFICE_CLUSTER_ADVERTISE"},
		breakage{"one name", set, "fieldPath: metadata.name", "fieldPath: metadata.namespace", "BOXOFFICE_NODE_NAME"},
		breakage{"no such probe", set, "path: /readyz", "path: /ready", "/ready"},
		breakage{"killed while not ready", set, "livenessProbe:\n            httpGet: { path: /livez", "livenessProbe:\n            httpGet: { path: /readyz", "liveness"},
		breakage{"cut short", set, "terminationGracePeriodSeconds: 30", "terminationGracePeriodSeconds: 12", "to drain"},
		breakage{"root", set, "runAsNonRoot: true", "runAsNonRoot: false", "runAsNonRoot"},
		breakage{"capabilities", set, "capabilities: { drop: [ALL] }", "capabilities: {}", "capabilities"},
		breakage{"may write", set, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "write"},
		breakage{"token", set, "automountServiceAccountToken: false", "automountServiceAccountToken: true", "token"},
		breakage{"another secret", set, "secretName: boxoffice-cluster-tls", "secretName: boxoffice-tls", "boxoffice-cluster-tls"},
		breakage{"single file", set, "mountPath: /etc/boxoffice/tls, ", "mountPath: /etc/boxoffice/tls, subPath: tls.crt, ", "renewed"},
		breakage{"one by one", set, "podManagementPolicy: Parallel", "podManagementPolicy: OrderedReady", "Parallel"},
		breakage{"plaintext", "kubernetes/configmap.yaml", "BOXOFFICE_CLUSTER_ADDR:", "BOXOFFICE_CLUSTER_PLAINTEXT: trusted-network\n  BOXOFFICE_CLUSTER_ADDR:", "plaintext"},
		breakage{"nothing may be drained", pdb, "maxUnavailable: 1", "maxUnavailable: 0", "budget"},
		breakage{"public admin", services, "type: ClusterIP", "type: LoadBalancer", "boxoffice-admin"},
		breakage{"not headless", services, "clusterIP: None", "clusterIP: \"\"", "headless"},
		breakage{"anybody is a member", network, "- podSelector:\n            matchLabels: { app.kubernetes.io/name: boxoffice }\n      ports: [{ port: 8082 }]\n    # Buyers", "- namespaceSelector: {}\n      ports: [{ port: 8082 }]\n    # Buyers", "8082 is open"},
		breakage{"no egress rule", network, "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", "Egress"},
		breakage{"no Postgres", network, "{ port: 5432 }, ", "", "5432"},
		breakage{"no DNS", network, "ports: [{ port: 53, protocol: UDP }, { port: 53 }]", "ports: [{ port: 53 }]", "53"},
		breakage{"a secret", "kubernetes/secret.example.yaml", `BOXOFFICE_ADMIN_TOKEN: ""`, `BOXOFFICE_ADMIN_TOKEN: "changeme"`, "changeme"},
		breakage{"no watching", "kubernetes-membership/role.yaml", "get, list, watch, patch", "get, list, patch", "watch"},
		breakage{"watches, but does not act", overlay, "BOXOFFICE_MEMBERSHIP: kubernetes", "BOXOFFICE_MEMBERSHIP: postgres", "BOXOFFICE_MEMBERSHIP"},
		breakage{"no token to watch with", overlay, "automountServiceAccountToken: true", "automountServiceAccountToken: false", "token"},
		breakage{"another name", "kubernetes/certificates.example.yaml", "dnsNames: [boxoffice]", "dnsNames: [box]", "dnsNames"},
		breakage{"server alone", "kubernetes/certificates.example.yaml", ", client auth", "", "usages"},
	)
}

func kubernetesFaults(dir string) []string {
	var l list
	for _, folder := range []string{"kubernetes", "kubernetes-membership"} {
		m, err := build(operate(dir, folder))
		if err != nil {
			return append(l, fmt.Sprintf("%s: %v", folder, err))
		}
		overlaid := folder == "kubernetes-membership"
		m.validate(&l)
		m.pods(&l, overlaid)
		m.probes(&l)
		m.services(&l)
		m.network(&l)
		m.permissions(&l, overlaid)
	}
	l.secretTemplate(operate(dir, "kubernetes/secret.example.yaml"))
	l.certificates(operate(dir, "kubernetes/certificates.example.yaml"))
	return l
}

// manifests are what `kubectl apply -k` would send.
type manifests struct {
	documents [][]byte
	set       appsv1.StatefulSet
	config    corev1.ConfigMap
	account   corev1.ServiceAccount
	service   map[string]corev1.Service
	budget    policyv1.PodDisruptionBudget
	policy    networkingv1.NetworkPolicy
	role      rbacv1.Role
	binding   rbacv1.RoleBinding
}

func build(folder string) (*manifests, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, err
	}
	m := &manifests{service: map[string]corev1.Service{}}
	for _, r := range built.Resources() {
		document, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		m.documents = append(m.documents, document)
		var service corev1.Service
		into := map[string]any{
			"StatefulSet": &m.set, "ConfigMap": &m.config, "ServiceAccount": &m.account, "Service": &service, "PodDisruptionBudget": &m.budget,
			"NetworkPolicy": &m.policy, "Role": &m.role, "RoleBinding": &m.binding,
		}[r.GetKind()]
		if into == nil {
			return nil, fmt.Errorf("a %s that is not looked at", r.GetKind())
		}
		if err := yaml.UnmarshalStrict(document, into); err != nil {
			return nil, fmt.Errorf("%s: %w", r.GetKind(), err)
		}
		if service.Name != "" {
			m.service[service.Name] = service
		}
	}
	return m, nil
}

// schemas are read once: they are large. The validator keeps what it has resolved, and has no lock.
var (
	schemasMu sync.Mutex
	schemas   = sync.OnceValues(func() (*validator.Validator, error) {
		return validator.New(openapiclient.NewOverlay(openapiclient.HardcodedPatchLoader(kubernetesMin), openapiclient.NewHardcodedBuiltins(kubernetesMin)))
	})
)

func (m *manifests) validate(l *list) {
	for _, document := range m.documents {
		l.validate(document)
	}
}

func (l *list) validate(document []byte) {
	schemasMu.Lock()
	defer schemasMu.Unlock()
	v, err := schemas()
	if err == nil {
		_, parsed, fault := v.Parse(document)
		if err = fault; err == nil {
			err = v.Validate(parsed)
		}
	}
	l.need(err == nil, "kubectl-validate: %v", err)
}

// pods notes what is wrong with how they run and are replaced.
func (m *manifests) pods(l *list, token bool) {
	spec, pod := m.set.Spec, m.set.Spec.Template.Spec
	c := pod.Containers[0]
	l.need(*spec.Replicas == nodes && len(pod.Containers) == 1, "there should be %d pods of one container", nodes)
	l.need(spec.PodManagementPolicy == appsv1.ParallelPodManagement, "podManagementPolicy: not Parallel, so that one pod that cannot start keeps all others from it")
	l.need(spec.ServiceName == "boxoffice-members", "the headless service is not the StatefulSet's")
	sleep := int64(0)
	if c.Lifecycle != nil && c.Lifecycle.PreStop != nil && c.Lifecycle.PreStop.Sleep != nil {
		sleep = c.Lifecycle.PreStop.Sleep.Seconds
	}
	l.need(sleep > 0 && *pod.TerminationGracePeriodSeconds-sleep >= int64(graceMin.Seconds()), "a pod has %d s less %d to drain", *pod.TerminationGracePeriodSeconds, sleep)
	l.need(*pod.AutomountServiceAccountToken == token && *m.account.AutomountServiceAccountToken == token && pod.ServiceAccountName == m.account.Name, "a token for Kubernetes' API should be mounted: %v", token)
	l.need(*c.SecurityContext.ReadOnlyRootFilesystem, "a pod may write its image")
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		l.add("%v", err)
		return
	}
	restricted := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	for _, result := range evaluator.EvaluatePod(restricted, &spec.Template.ObjectMeta, &pod) {
		l.need(result.Allowed, "restricted: %s: %s", result.ForbiddenReason, result.ForbiddenDetail)
	}
	tls := m.config.Data["BOXOFFICE_CLUSTER_TLS_KEY"]
	l.need(m.config.Data["BOXOFFICE_CLUSTER_PLAINTEXT"] == "", "nodes speak plaintext with each other")
	l.need(len(c.VolumeMounts) == 1 && c.VolumeMounts[0].MountPath == filepath.Dir(tls) && c.VolumeMounts[0].SubPath == "", "%s is in no volume, or will never be renewed", tls)
	l.need(len(pod.Volumes) == 1 && pod.Volumes[0].Secret != nil && pod.Volumes[0].Secret.SecretName == "boxoffice-cluster-tls", "the Secret boxoffice-cluster-tls is not mounted")
	budget := m.budget.Spec.MaxUnavailable
	l.need(budget != nil && budget.IntValue() == 1, "the budget does not let one pod go, or lets more than one")
	fields := map[string]string{}
	for _, e := range c.Env {
		if fields[e.Name] = e.Value; e.ValueFrom != nil {
			fields[e.Name] = e.ValueFrom.FieldRef.FieldPath
		}
	}
	l.need(fields["BOXOFFICE_NODE_NAME"] == "metadata.name", "BOXOFFICE_NODE_NAME is %s", fields["BOXOFFICE_NODE_NAME"])
	l.need(fields["BOXOFFICE_CLUSTER_ADVERTISE"] == "$(POD_IP)"+m.config.Data["BOXOFFICE_CLUSTER_ADDR"] && fields["POD_IP"] == "status.podIP",
		"BOXOFFICE_CLUSTER_ADVERTISE is %s", fields["BOXOFFICE_CLUSTER_ADVERTISE"])
	l.need(len(c.EnvFrom) == 2 && c.EnvFrom[0].ConfigMapRef.Name == m.config.Name && c.EnvFrom[1].SecretRef.Name == "boxoffice", "settings come from elsewhere")
}

// probes notes what is wrong with what Kubernetes asks.
func (m *manifests) probes(l *list) {
	c := m.set.Spec.Template.Spec.Containers[0]
	health, err := os.ReadFile(filepath.Join(repository, "http/routes.go"))
	l.need(err == nil, "%v", err)
	for name, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if p == nil || p.HTTPGet == nil {
			l.add("%s: no probe", name)
			continue
		}
		l.need(strings.Contains(string(health), fmt.Sprintf("pattern: %q", p.HTTPGet.Path)), "%s: the server has no %s", name, p.HTTPGet.Path)
		l.need((p.HTTPGet.Path == "/readyz") == (name == "readiness"), "%s asks %s: a node that is not ready is not to be killed", name, p.HTTPGet.Path)
		l.need(p.HTTPGet.Port.String() == "admin", "%s asks port %s: full of buyers, the public one refuses", name, p.HTTPGet.Port.String())
	}
}

// services notes what is wrong with how one comes to the pods.
func (m *manifests) services(l *list) {
	labels := m.set.Spec.Template.Labels
	selects := func(what string, selector map[string]string) {
		for k, v := range selector {
			l.need(labels[k] == v, "%s selects no pods: %s", what, v)
		}
		l.need(len(selector) > 0, "%s selects all pods", what)
	}
	selects("the StatefulSet", m.set.Spec.Selector.MatchLabels)
	selects("the budget", m.budget.Spec.Selector.MatchLabels)
	selects("the network policy", m.policy.Spec.PodSelector.MatchLabels)
	for _, c := range m.set.Spec.Template.Spec.TopologySpreadConstraints {
		selects("the spread over "+c.TopologyKey, c.LabelSelector.MatchLabels)
	}
	open := map[string]int32{}
	for _, p := range m.set.Spec.Template.Spec.Containers[0].Ports {
		open[p.Name] = p.ContainerPort
	}
	defaults, err := portsDefault()
	l.need(err == nil, "%v", err)
	for port, setting := range map[string]string{"http": "BOXOFFICE_HTTP_ADDR", "admin": "BOXOFFICE_ADMIN_ADDR", "cluster": "BOXOFFICE_CLUSTER_ADDR"} {
		l.need(m.config.Data[setting] == fmt.Sprintf(":%d", open[port]), "%s is %q, but the container's port %s is %d", setting, m.config.Data[setting], port, open[port])
		l.need(defaults[setting] == "" || m.config.Data[setting] == ":"+defaults[setting], "%s is %q, the binary's default is %s", setting, m.config.Data[setting], defaults[setting])
	}
	for name, s := range m.service {
		selects("service "+name, s.Spec.Selector)
		for _, p := range s.Spec.Ports {
			l.need(open[p.TargetPort.String()] != 0, "service %s: the pods have no port %s", name, p.TargetPort.String())
		}
		l.need(s.Spec.Type == "" || s.Spec.Type == corev1.ServiceTypeClusterIP, "service %s is open to the world", name)
	}
	l.need(m.service["boxoffice-members"].Spec.ClusterIP == corev1.ClusterIPNone, "boxoffice-members is not headless")
	l.need(len(m.service["boxoffice"].Spec.Ports) == 1 && len(m.service["boxoffice-admin"].Spec.Ports) == 1, "buyers' and organisers' ports are in one service")
}

// network notes who may come that should not, and where a node has to go.
func (m *manifests) network(l *list) {
	l.need(slices.Contains(m.policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) && slices.Contains(m.policy.Spec.PolicyTypes, networkingv1.PolicyTypeEgress), "the network policy is not about Ingress and Egress")
	members := m.set.Spec.Selector.MatchLabels
	for _, rule := range m.policy.Spec.Ingress {
		for _, port := range rule.Ports {
			l.need(len(rule.From) > 0, "%s is open to all", port.Port)
			for _, from := range rule.From {
				own := from.PodSelector != nil && fmt.Sprint(from.PodSelector.MatchLabels) == fmt.Sprint(members) && from.NamespaceSelector == nil
				l.need(port.Port.IntValue() != 8082 || own, "8082 is open to others than members")
				l.need(own || from.NamespaceSelector != nil && len(from.NamespaceSelector.MatchLabels) > 0, "%s is open to any namespace", port.Port)
			}
		}
	}
	leave := map[string]bool{}
	for _, rule := range m.policy.Spec.Egress {
		for _, port := range rule.Ports {
			protocol := corev1.ProtocolTCP
			if port.Protocol != nil {
				protocol = *port.Protocol
			}
			leave[fmt.Sprintf("%d/%s", port.Port.IntValue(), protocol)] = true
		}
	}
	for _, want := range []string{"8082/TCP", "53/UDP", "53/TCP", "5432/TCP", "6379/TCP", "4318/TCP"} {
		l.need(leave[want], "a node may not go to %s", want)
	}
}

// permissions notes what a node may do in Kubernetes.
func (m *manifests) permissions(l *list, membership bool) {
	if !membership {
		l.need(m.role.Name == "" && m.binding.Name == "" && m.config.Data["BOXOFFICE_MEMBERSHIP"] == "", "a node may talk to Kubernetes, but need not")
		return
	}
	l.need(m.config.Data["BOXOFFICE_MEMBERSHIP"] == "kubernetes", "BOXOFFICE_MEMBERSHIP is not kubernetes")
	l.need(m.binding.RoleRef.Name == m.role.Name && len(m.binding.Subjects) == 1 && m.binding.Subjects[0].Name == m.account.Name, "the role is not the nodes'")
	l.need(len(m.role.Rules) == 1 && slices.Equal(m.role.Rules[0].Resources, []string{"pods"}) && slices.Equal(m.role.Rules[0].Verbs, []string{"get", "list", "watch", "patch"}),
		"the role should let nodes get, list, watch and patch pods, no more: %v", m.role.Rules)
}

// secretTemplate notes secrets that are not.
func (l *list) secretTemplate(name string) {
	document, err := os.ReadFile(name)
	if err != nil {
		l.add("%v", err)
		return
	}
	l.validate(document)
	var s corev1.Secret
	if err := yaml.UnmarshalStrict(document, &s); err != nil {
		l.add("%s: %v", name, err)
	}
	l.need(s.Name == "boxoffice" && len(s.StringData) > 0, "the template is of another Secret")
	for k, v := range s.StringData {
		l.need(v == "", "the template has a secret that everybody knows: %s=%s", k, v)
	}
}

// certificates notes certificates that nodes would not take. Their schema is cert-manager's, which is not Kubernetes' own.
func (l *list) certificates(name string) {
	text, err := os.ReadFile(name)
	if err != nil {
		l.add("%v", err)
		return
	}
	documents, err := utils.SplitYamlDocuments(text)
	l.need(err == nil && len(documents) == 4, "certificates: %v", err)
	for _, document := range documents {
		var c struct {
			Metadata struct{ Name string }
			Kind     string
			Spec     struct {
				SecretName string
				DNSNames   []string
				Usages     []string
			}
		}
		if err := yaml.Unmarshal(document, &c); err != nil {
			l.add("certificates: %v", err)
		}
		if c.Metadata.Name != "boxoffice-cluster-tls" {
			continue
		}
		l.need(c.Kind == "Certificate" && c.Spec.SecretName == c.Metadata.Name, "certificates: not in the Secret %s", c.Metadata.Name)
		l.need(slices.Equal(c.Spec.DNSNames, []string{"boxoffice"}), "certificates: dnsNames %v", c.Spec.DNSNames)
		l.need(slices.Contains(c.Spec.Usages, "server auth") && slices.Contains(c.Spec.Usages, "client auth"), "certificates: usages %v", c.Spec.Usages)
		return
	}
	l.add("certificates: there is no boxoffice-cluster-tls")
}
