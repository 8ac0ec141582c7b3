package infra

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"slices"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestServerCertificate(t *testing.T) {
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.server(RoleAPIServer)
	if err != nil {
		t.Fatal(err)
	}
	p, err := server.at(netip.MustParseAddr("172.18.0.3"))
	if err != nil {
		t.Fatal(err)
	}
	if before, err := server.at(); err != nil || !bytes.Equal(before.key, p.key) {
		t.Errorf("another certificate has another key, %v", err)
	}
	if _, err := tls.X509KeyPair(p.cert, p.key); err != nil {
		t.Error(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.pem)
	cert := parse(t, p.cert)
	for _, name := range []string{"apiserver", "localhost", "127.0.0.1", "172.18.0.3"} {
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: "elsewhere"}); err == nil {
		t.Error("it is good for any name")
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
		t.Error("a server's certificate is good for a client")
	}
	other, err := newEtcdAuthority()
	if err != nil {
		t.Fatal(err)
	}
	strangers := x509.NewCertPool()
	strangers.AppendCertsFromPEM(other.pem)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: strangers}); err == nil {
		t.Error("another run's authority vouches for it")
	}
}

func TestKubeconfig(t *testing.T) {
	ca, err := newAuthority()
	if err != nil {
		t.Fatal(err)
	}
	data, err := ca.kubeconfig("https://172.18.0.3:6443", "calico-node", "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(data)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://172.18.0.3:6443" || config.ServerName != "" || string(config.CAData) != string(ca.pem) {
		t.Errorf("config %+v", config)
	}
	subject := parse(t, config.CertData).Subject
	if subject.CommonName != "calico-node" || !slices.Equal(subject.Organization, []string{"a", "b"}) {
		t.Errorf("subject %v", subject)
	}
	if _, err := tls.X509KeyPair(config.CertData, config.KeyData); err != nil {
		t.Error(err)
	}
}

func parse(t *testing.T, data []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(data)
	if block == nil {
		t.Fatal("no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}
