package targets

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/nodefv/nodefv/infra"
	"github.com/nodefv/nodefv/infra/build"
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

var _ = register("felix", func(o Options) (Target, error) {
	if o.DataPlane == "" {
		o.DataPlane = "iptables-nft"
	}
	if felixDataPlanes[o.DataPlane] == nil {
		return nil, fmt.Errorf("felix has no data plane %q; there are: iptables-nft, iptables-legacy, nftables", o.DataPlane)
	}
	if _, err := felixEnv(o.Settings); err != nil {
		return nil, err
	}
	return felix{o}, nil
})

// felix is Calico's Felix with the Kubernetes datastore.
type felix struct{ Options }

func (felix) Name() string { return "felix" }

func (f felix) Facts() infra.TargetFacts {
	return infra.TargetFacts{
		Name: f.Name(), Process: "calico-felix", MetricsPort: felixMetrics, HealthPort: felixHealth, DebugPort: felixDebug, DataPlane: f.DataPlane,
		Typha: f.Typha,
	}
}

func (f felix) Specs() []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error) {
	specs := []func(infra.ControlPlane, infra.NodeInfo) (infra.Spec, error){f.agent}
	if f.Typha {
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
		"FELIX_DEBUGPORT": strconv.Itoa(felixDebug), "FELIX_DEBUGHOST": "0.0.0.0",
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
	if addr, ok := cp.Addr(infra.RoleTypha); ok {
		env["FELIX_TYPHAADDR"] = netip.AddrPortFrom(addr, typhaPort).String()
	}
	maps.Copy(env, felixDataPlanes[f.DataPlane])
	maps.Copy(env, settings)
	maps.Copy(env, f.Env)
	return infra.Spec{
		Role: infra.RoleAgent, Component: build.Felix, Command: command, Env: env, Join: infra.RoleNode,
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
		Role: infra.RoleTypha, Component: build.Typha, Command: []string{"calico-typha"},
		Env: map[string]string{
			"TYPHA_DATASTORETYPE": "kubernetes", "KUBECONFIG": kubeconfigPath, "TYPHA_LOGSEVERITYSCREEN": "info", "TYPHA_LOGFILEPATH": "none",
			"TYPHA_LOGSEVERITYSYS": "none", "TYPHA_HEALTHENABLED": "true", "TYPHA_HEALTHHOST": "0.0.0.0", "TYPHA_HEALTHPORT": strconv.Itoa(typhaHealth),
			"TYPHA_CONNECTIONREBALANCINGMODE": "none",
		},
		Files: []infra.File{{Path: kubeconfigPath, Mode: 0o600, Data: config}},
		Ready: func(ctx context.Context, client *http.Client, addr netip.Addr) error {
			return get(ctx, client, addr, typhaHealth, "/readiness")
		},
	}, nil
}

func (f felix) Ready(ctx context.Context, client *http.Client, addr netip.Addr) error {
	return get(ctx, client, addr, felixHealth, "/readiness")
}

// Quiesce collects garbage: pprof does so before it takes a heap profile when asked with gc=1.
func (f felix) Quiesce(ctx context.Context, addr netip.Addr) error {
	return get(ctx, direct, addr, felixDebug, "/debug/pprof/heap?gc=1")
}

// direct is the driver's: it is on the bridge, to which no proxy of the user's leads.
var direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func get(ctx context.Context, client *http.Client, addr netip.Addr, port uint16, path string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+netip.AddrPortFrom(addr, port).String()+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return nil
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
func (felix) Features() []string {
	return []string{"ipv6", "network-policy", "admin-network-policy", "cluster-network-policy", ForgetsConnections}
}
