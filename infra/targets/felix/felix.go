// Package felix is Calico's Felix as a SUT, with Typha if it is asked for: how both are started, how pods are presented to Felix, and the model of
// what it must program on each of its data planes.
//
// It is immutable and safe for concurrent use.
package felix

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/targets"
	"github.com/nodefv/nodefv/infra/targets/felix/mutants"
	"github.com/nodefv/nodefv/workloads"
)

// Felix's ports; metrics and health are its standard ones.
const (
	felixMetrics = 9091
	felixHealth  = 9099
	felixDebug   = 9095
	typhaPort    = 5473
	typhaHealth  = 9098
)

var felixDataPlanes = map[string]map[string]string{
	"iptables-nft":    {"FELIX_IPTABLESBACKEND": "nft", "FELIX_NFTABLESMODE": "Disabled"},
	"iptables-legacy": {"FELIX_IPTABLESBACKEND": "legacy", "FELIX_NFTABLESMODE": "Disabled"},
	"nftables":        {"FELIX_NFTABLESMODE": "Enabled"},
}

// typhaWord is Typha as an extra, a component and a role.
const typhaWord = "typha"

var _ = targets.Register(targets.Info{
	Name: "felix", DataPlanes: []string{"iptables-nft", "iptables-legacy", "nftables"},
	Components: []targets.Component{
		{
			Name: "felix", Title: "Felix (calico-felix)", Module: "github.com/projectcalico/calico", Variable: "FELIX",
			Releases: []string{"v3.30.1", "v3.31.0"}, Checkout: true, CRDs: true,
		},
		{
			Name: typhaWord, Title: "Typha (calico-typha)", Module: "github.com/projectcalico/calico", Variable: "TYPHA",
			Extra: typhaWord, Doc: "put Typha between the API server and the agent",
		},
	},
	New: func(o targets.Options) (targets.Target, error) {
		if _, err := felixEnv(o.Settings); err != nil {
			return nil, err
		}
		return felix{o}, nil
	},
	Mutants: &mutants.Table,
})

// felix is Calico's Felix with the Kubernetes datastore.
type felix struct{ targets.Options }

func (felix) Name() string { return "felix" }

func (f felix) Facts() infra.TargetFacts {
	return infra.TargetFacts{
		Name: f.Name(), Process: "calico-felix", MetricsPort: felixMetrics, HealthPort: felixHealth, DebugPort: felixDebug, DataPlane: f.DataPlane,
		Extras: f.Extras,
	}
}

func (f felix) Specs() []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	specs := []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error){f.agent}
	if slices.Contains(f.Extras, typhaWord) {
		specs = slices.Insert(specs, 0, typha)
	}
	return specs
}

const kubeconfigPath = "/etc/calico/kubeconfig"

func (f felix) agent(cp infra.ControlPlane, node infra.NodeInfo) (infra.Spec, error) {
	config, err := cp.Kubeconfig(felixUser)
	if err != nil {
		return infra.Spec{}, err
	}
	command := f.Command
	if len(command) == 0 {
		command = []string{"calico-felix"}
	}
	env := map[string]string{
		"FELIX_DATASTORETYPE": "kubernetes", "KUBECONFIG": kubeconfigPath, "FELIX_FELIXHOSTNAME": node.Name, "FELIX_USAGEREPORTINGENABLED": "false",
		"FELIX_HEALTHENABLED": "true", "FELIX_HEALTHHOST": "0.0.0.0", "FELIX_PROMETHEUSMETRICSENABLED": "true",
		"FELIX_DEBUGPORT": strconv.Itoa(felixDebug), "FELIX_DEBUGHOST": "127.0.0.1",
		"FELIX_LOGSEVERITYSCREEN": "Info", "FELIX_LOGFILEPATH": "none", "FELIX_LOGSEVERITYFILE": "none", "FELIX_LOGSEVERITYSYS": "none",
		"FELIX_BPFENABLED": "false",
		"TZ":               "UTC", // of the times in its log
		// A build without cgo has a stub where libbpf would be and panics when it cleans up BPF state at start.
		"FELIX_DebugSkipCTLBCleanup": "true",
	}
	settings, err := felixEnv(f.Settings)
	if err != nil {
		return infra.Spec{}, err
	}
	if addr, ok := cp.Addr(typhaWord); ok {
		env["FELIX_TYPHAADDR"] = netip.AddrPortFrom(addr, typhaPort).String()
	}
	maps.Copy(env, felixDataPlanes[f.DataPlane])
	maps.Copy(env, settings)
	maps.Copy(env, f.Env)
	return infra.Spec{
		Role: infra.RoleAgent, Component: "felix", Command: command, Env: env, Join: infra.RoleNode,
		Files: []infra.File{{Path: kubeconfigPath, Mode: 0o600, Data: config}},
		Tmpfs: []string{"/var/run/calico", "/var/lib/calico"}, // it does not make them
		Caps:  []string{"NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"}, RawSystem: true, Memory: f.Memory,
	}, nil
}

func typha(cp infra.ControlPlane, _ infra.NodeInfo) (infra.Spec, error) {
	config, err := cp.Kubeconfig(felixUser)
	if err != nil {
		return infra.Spec{}, err
	}
	return infra.Spec{
		Role: typhaWord, Component: typhaWord, Command: []string{"calico-typha"},
		Env: map[string]string{
			"TYPHA_DATASTORETYPE": "kubernetes", "KUBECONFIG": kubeconfigPath, "TYPHA_LOGSEVERITYSCREEN": "info", "TYPHA_LOGFILEPATH": "none",
			"TYPHA_LOGSEVERITYSYS": "none", "TYPHA_HEALTHENABLED": "true", "TYPHA_HEALTHHOST": "0.0.0.0", "TYPHA_HEALTHPORT": strconv.Itoa(typhaHealth),
			"TYPHA_CONNECTIONREBALANCINGMODE": "none",
		},
		Files: []infra.File{{Path: kubeconfigPath, Mode: 0o600, Data: config}},
		Ready: func(ctx context.Context, client *http.Client, addr netip.Addr) error {
			return targets.Get(ctx, client, addr, typhaHealth, "/readiness")
		},
	}, nil
}

func (f felix) Ready(ctx context.Context, client *http.Client, addr netip.Addr) error {
	return targets.Get(ctx, client, addr, felixHealth, "/readiness")
}

// Quiesce collects garbage: pprof does so before it takes a heap profile when asked with gc=1.
func (f felix) Quiesce(ctx context.Context, addr netip.Addr) error {
	return targets.Get(ctx, targets.Direct, addr, felixDebug, "/debug/pprof/heap?gc=1")
}

// Presentation says that Felix makes the routes, and reads addresses from annotations.
func (felix) Presentation() targets.Presentation {
	return targets.Presentation{OneWrite: true, Routes: true}
}

// HostInterface follows Calico's CNI plugin for the Kubernetes datastore.
func (felix) HostInterface(namespace, pod string) string {
	sum := sha1.Sum([]byte(namespace + "." + pod))
	return "cali" + hex.EncodeToString(sum[:])[:11]
}

// Decorate writes addresses where Calico's CNI plugin does, ahead of the status: one write makes a pod an endpoint.
func (felix) Decorate(obj any) {
	switch o := obj.(type) {
	case *corev1.Pod:
		ips := make([]string, 0, len(o.Status.PodIPs))
		for _, ip := range o.Status.PodIPs {
			ips = append(ips, withLength(ip.IP))
		}
		if len(ips) > 0 {
			annotate(&o.Annotations, "cni.projectcalico.org/podIP", ips[0])
			annotate(&o.Annotations, "cni.projectcalico.org/podIPs", strings.Join(ips, ","))
		}
	case *corev1.Node:
		for _, a := range o.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				annotate(&o.Annotations, "projectcalico.org/IPv4Address", a.Address+"/24")
			}
		}
	}
}

func withLength(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	return netip.PrefixFrom(addr, addr.BitLen()).String()
}

func annotate(annotations *map[string]string, key, value string) {
	if *annotations == nil {
		*annotations = map[string]string{}
	}
	(*annotations)[key] = value
}

// Features are those of all its releases: which kinds of cluster-wide policies one has, its CRDs say.
func (felix) Features() []workloads.Feature {
	return []workloads.Feature{
		workloads.IPv6, workloads.NetworkPolicies, workloads.AdminPolicies, workloads.ClusterPolicies, workloads.ForgetsConnections,
	}
}
