package routed

import (
	"context"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/routing"
)

// Certificates wants the certificate to be served for each host that is in the secret which its Ingress or listener names.
type Certificates struct{ *Proxied }

// Name returns the probe's name.
func (p Certificates) Name() string { return p.named("certificates") }

// Want takes them from the model.
func (p Certificates) Want(s workloads.State) engine.Facts { return certificates(p.Dialect, s) }

// certificates are those of a state.
func certificates(d routing.Dialect, s workloads.State) engine.Facts {
	facts := engine.Facts{}
	for host, secret := range d.Certificates(s) {
		if block, _ := pem.Decode(s.Secrets().Get(secret).Certificate); block != nil {
			facts[certificate(host)] = fingerprint(block.Bytes)
		}
	}
	return facts
}

// Got makes a connection for each host.
func (p Certificates) Got(ctx context.Context, s workloads.State) (engine.Facts, error) {
	facts := engine.Facts{}
	want := p.Want(s)
	for _, host := range slices.Sorted(maps.Keys(p.Dialect.Certificates(s))) {
		if _, wanted := want[certificate(host)]; !wanted {
			continue
		}
		q := p.onWire(routing.Request{Host: aName(host), Path: "/", TLS: true})
		q.Keep = false
		o := outcomeOf(p.Asker.Ask(ctx, q))
		if o.Failure.Ours() {
			return nil, fmt.Errorf("connect for %s: %s: %s", host, o.Failure, o.Why)
		}
		facts[certificate(host)] = o.String()
		if len(o.Answer.Certificate) > 0 {
			facts[certificate(host)] = fingerprint(o.Answer.Certificate)
		}
	}
	return facts, nil
}

// aName is a name that a host of an Ingress matches.
func aName(host string) string {
	if len(host) > 2 && host[:2] == "*." {
		return "any" + host[1:]
	}
	return host
}

func certificate(host string) report.Fact {
	return report.Fact{Aspect: report.Requests, Kind: report.Request, Subject: "certificate of " + host}
}

func fingerprint(der []byte) string { return fmt.Sprintf("%x", sha256.Sum256(der))[:16] }
