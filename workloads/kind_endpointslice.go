package workloads

import (
	"context"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// EndpointSliceKind is the kind of what says where the pods of a service are.
const EndpointSliceKind Kind = "EndpointSlice"

// EndpointSlice holds endpoints of a service, of one family. No controller writes slices here: who moves a pod writes them.
type EndpointSlice struct {
	Key
	Service   string // in the same namespace
	IPv6      bool
	Ports     []EndpointPort
	Endpoints []ServiceEndpoint // at most 1,000, which is the API's limit
}

// EndpointPort is a port of all endpoints of a slice.
type EndpointPort struct {
	Name string // that of the service's port
	Port int32
}

// ServiceEndpoint is a pod with an address.
type ServiceEndpoint struct {
	Pod      Key
	Addr     netip.Addr
	Node     string
	NotReady bool
}

// Part names the slice.
func (s EndpointSlice) Part() Part { return EndpointSliceKind.Part(s.Key) }

// EndpointSlices are the slices.
func (s State) EndpointSlices() Objects[EndpointSlice] {
	return Objects[EndpointSlice]{s, EndpointSliceKind}
}

// sliceManager names who writes the slices, so that a cluster's own controller leaves them alone.
const sliceManager = "nodefv"

// endpointSlices change by ports and endpoints.
var endpointSlices = &kind[EndpointSlice, discoveryv1.EndpointSlice]{
	name: EndpointSliceKind, word: "endpoint slice", feature: Services, group: discoveryv1.GroupName, resource: "endpointslices", namespaced: true,
	object: func(_ *Fleet, s EndpointSlice) *discoveryv1.EndpointSlice {
		labels := map[string]string{discoveryv1.LabelServiceName: s.Service, discoveryv1.LabelManagedBy: sliceManager}
		object := &discoveryv1.EndpointSlice{ObjectMeta: meta(s.Key, labels), AddressType: discoveryv1.AddressTypeIPv4, Ports: s.ports(), Endpoints: s.endpoints()}
		if s.IPv6 {
			object.AddressType = discoveryv1.AddressTypeIPv6
		}
		return object
	},
	client: func(c Clients, namespace string) writer[discoveryv1.EndpointSlice] {
		return c.Core.DiscoveryV1().EndpointSlices(namespace)
	},
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.DiscoveryV1().EndpointSlices("").List(ctx, o)
	},
	patch: func(s EndpointSlice) []edit {
		return []edit{{"add", "/ports", s.ports()}, {"add", "/endpoints", s.endpoints()}}
	},
	differs: func(a, b EndpointSlice) bool { return a.Service != b.Service || a.IPv6 != b.IPv6 },
}

func (s EndpointSlice) ports() []discoveryv1.EndpointPort {
	all, tcp := make([]discoveryv1.EndpointPort, 0, len(s.Ports)), corev1.ProtocolTCP
	for _, p := range s.Ports {
		all = append(all, discoveryv1.EndpointPort{Name: &p.Name, Protocol: &tcp, Port: &p.Port})
	}
	return all
}

func (s EndpointSlice) endpoints() []discoveryv1.Endpoint {
	all := make([]discoveryv1.Endpoint, 0, len(s.Endpoints))
	for _, e := range s.Endpoints {
		ready, ends := !e.NotReady, false
		endpoint := discoveryv1.Endpoint{
			Addresses: []string{e.Addr.String()}, Conditions: discoveryv1.EndpointConditions{Ready: &ready, Serving: &ready, Terminating: &ends},
			TargetRef: &corev1.ObjectReference{Kind: string(PodKind), Namespace: e.Pod.Namespace, Name: e.Pod.Name},
		}
		if e.Node != "" {
			endpoint.NodeName = &e.Node
		}
		all = append(all, endpoint)
	}
	return all
}

// EndpointOf returns a pod as a ready endpoint, by its first address of the family; false: it has none.
func EndpointOf(p Pod, ipv6 bool) (e ServiceEndpoint, ok bool) {
	for _, ip := range p.IPs {
		if ip.Is6() == ipv6 {
			return ServiceEndpoint{Pod: p.Key, Addr: ip, Node: p.Node}, true
		}
	}
	return e, false
}

// AddEndpointSlices makes slices.
func (f *Fleet) AddEndpointSlices(ctx context.Context, all []EndpointSlice) error {
	return endpointSlices.add(ctx, f, all)
}

// ChangeEndpointSlices gives slices that exist the ports and endpoints that they have here.
func (f *Fleet) ChangeEndpointSlices(ctx context.Context, all []EndpointSlice) error {
	return endpointSlices.alter(ctx, f, all)
}

// RemoveEndpointSlices removes slices.
func (f *Fleet) RemoveEndpointSlices(ctx context.Context, keys []Key) error {
	return endpointSlices.drop(ctx, f, keys)
}
