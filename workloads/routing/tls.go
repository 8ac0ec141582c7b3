package routing

import (
	"maps"

	"github.com/nodefv/nodefv/workloads"
)

// Certificates returns which secret has the certificate that is to be served for each host that Ingresses or Gateways of the router's own name for TLS. A
// host of several secrets is left out: the API does not say which counts.
func (d Dialect) Certificates(s workloads.State) map[string]workloads.Key {
	all, several := map[string]workloads.Key{}, map[string]bool{}
	serve := func(host string, secret workloads.Key) {
		if other, known := all[host]; known && other != secret {
			several[host] = true
		}
		all[host] = secret
	}
	for _, l := range d.listeners(s.Gateways().List()) {
		if l.Secret != "" && l.Host != "" {
			serve(l.Host, workloads.Key{Namespace: l.gateway.Namespace, Name: l.Secret})
		}
	}
	for _, i := range s.Ingresses().All() {
		if !d.own(i) {
			continue
		}
		for _, t := range i.Spec.TLS {
			for _, host := range t.Hosts {
				serve(host, workloads.Key{Namespace: i.Namespace, Name: t.SecretName})
			}
		}
	}
	maps.DeleteFunc(all, func(host string, _ workloads.Key) bool { return several[host] })
	return all
}
