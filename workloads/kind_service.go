package workloads

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ServiceKind is the kind of services.
const ServiceKind Kind = "Service"

// Service is one whose endpoints are what EndpointSlices say. The API gives it an address, unless it is Headless.
type Service struct {
	Key
	Ports    []ServicePort
	Headless bool
}

// ServicePort is a port of a service.
type ServicePort struct {
	Name   string // may be empty if there is no other
	Port   int32
	Target int32 // of its endpoints; 0: the same
}

// Part names the service.
func (s Service) Part() Part { return ServiceKind.Part(s.Key) }

// Services are the services.
func (s State) Services() Objects[Service] { return Objects[Service]{s, ServiceKind} }

// services change by their ports.
var services = &kind[Service, corev1.Service]{
	name: ServiceKind, word: "service", feature: Services, resource: "services", namespaced: true,
	object: func(_ *Fleet, s Service) *corev1.Service {
		object := &corev1.Service{ObjectMeta: meta(s.Key, nil), Spec: corev1.ServiceSpec{Ports: s.ports()}}
		if s.Headless {
			object.Spec.ClusterIP = corev1.ClusterIPNone
		}
		return object
	},
	client: func(c Clients, namespace string) writer[corev1.Service] { return c.Core.CoreV1().Services(namespace) },
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.CoreV1().Services("").List(ctx, o)
	},
	patch:   func(s Service) []edit { return []edit{{"replace", "/spec/ports", s.ports()}} },
	differs: func(a, b Service) bool { return a.Headless != b.Headless },
}

func (s Service) ports() (all []corev1.ServicePort) {
	for _, p := range s.Ports {
		target := p.Target
		if target == 0 {
			target = p.Port
		}
		all = append(all, corev1.ServicePort{Name: p.Name, Protocol: corev1.ProtocolTCP, Port: p.Port, TargetPort: intstr.FromInt32(target)})
	}
	return all
}

// AddServices makes services.
func (f *Fleet) AddServices(ctx context.Context, all []Service) error {
	return services.add(ctx, f, all)
}

// ChangeServices gives services that exist the ports that they have here.
func (f *Fleet) ChangeServices(ctx context.Context, all []Service) error {
	return services.alter(ctx, f, all)
}

// RemoveServices removes services.
func (f *Fleet) RemoveServices(ctx context.Context, keys []Key) error {
	return services.drop(ctx, f, keys)
}
