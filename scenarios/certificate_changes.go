package scenarios

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/nodefv/nodefv/scenarios/engine"
	"github.com/nodefv/nodefv/workloads"
)

var _ = register(func(p Params) engine.Scenario {
	n, cycles := or(p.Routes, 3), or(p.Cycles, 3)
	secrets := func(ctx context.Context, w *engine.World) ([]workloads.Secret, error) {
		var all []workloads.Secret
		namespace := frontOf(w).pods()[0].Namespace
		for i := range n {
			cert, key, err := selfSigned(host(i), int64(w.Cycle)*int64(n)+int64(i)+1)
			if err != nil {
				return nil, err
			}
			all = append(all, workloads.Secret{Key: workloads.Key{Namespace: namespace, Name: serviceName(i)}, Certificate: cert, PrivateKey: key})
		}
		return all, nil
	}
	return engine.Scenario{
		Name:     "certificate changes",
		Doc:      "Routes with TLS serve the certificates of their secrets, which change again and again; all the while requests over TLS are answered.",
		Labels:   []engine.Label{Requests, Basic},
		Needs:    []workloads.Feature{workloads.RequestRouting},
		Timeout:  brief,
		Topology: workloads.Topology{Namespaces: 1, PodsPerNamespace: n, Local: -1},
		Steps: []engine.Step{
			{Name: "services", Do: func(ctx context.Context, w *engine.World) error { return serveEach(ctx, w, n) }},
			{Name: "routes with TLS", Do: func(ctx context.Context, w *engine.World) error {
				all, err := secrets(ctx, w)
				if err != nil {
					return err
				}
				return errors.Join(w.Fleet.AddSecrets(ctx, all), frontOf(w).secured(ctx, routesTo(w, n, 0), all))
			}},
			{Name: "other certificates", Repeat: cycles, Do: func(ctx context.Context, w *engine.World) error {
				all, err := secrets(ctx, w)
				if err != nil {
					return err
				}
				return w.Fleet.ChangeSecrets(ctx, all)
			}},
		},
	}
})

// secured makes routes whose requests come by TLS: the certificate of each's host is in the secret of the same number.
func (f shopfront) secured(ctx context.Context, routes []workloads.Object, secrets []workloads.Secret) error {
	var listeners []workloads.Listener
	for i, secret := range secrets {
		listeners = append(listeners, workloads.Listener{Name: secret.Name, Host: host(i), Secret: secret.Name})
		if ingress, ok := routes[i].(workloads.Ingress); ok {
			ingress.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host(i)}, SecretName: secret.Name}}
			routes[i] = ingress
		}
	}
	if f.byGateway() {
		if err := f.w.Fleet.Change(ctx, f.gateway(listeners...)); err != nil {
			return err
		}
	}
	return f.w.Fleet.Add(ctx, routes...)
}

// selfSigned makes a certificate for a host, and its key, as PEM.
func selfSigned(host string, serial int64) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	of, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	var certOut, keyOut bytes.Buffer
	err = errors.Join(pem.Encode(&certOut, &pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.Encode(&keyOut, &pem.Block{Type: "PRIVATE KEY", Bytes: of}))
	return certOut.Bytes(), keyOut.Bytes(), err
}
