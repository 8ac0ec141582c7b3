package routing

import (
	"github.com/nodefv/nodefv/workloads"
)

// Certificates returns which secret has the certificate that is to be served for each host that Ingresses of the router's own name for TLS. A host of
// several secrets is left out: the API does not say which counts.
func (d Dialect) Certificates(s workloads.State) map[string]workloads.Key {
	all, several := map[string]workloads.Key{}, map[string]bool{}
	for _, i := range s.Ingresses().All() {
		if !d.own(i) {
			continue
		}
		for _, t := range i.Spec.TLS {
			secret := workloads.Key{Namespace: i.Namespace, Name: t.SecretName}
			for _, host := range t.Hosts {
				if other, known := all[host]; known && other != secret {
					several[host] = true
				}
				all[host] = secret
			}
		}
	}
	for host := range several {
		delete(all, host)
	}
	return all
}
