package infra

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// certLife is how long certificates hold: longer than any kept environment, and begun early enough for skewed clocks.
const certLife = 365 * 24 * time.Hour

// authority is the certificate authority of one run.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
	pem  []byte
}

// caKeyBits makes a key that is cheap to verify with: the API server verifies the client's certificate at every request, which with an
// ECDSA authority is a tenth of its CPU time under load.
const caKeyBits = 2048

// pair is a certificate and its key, both PEM.
type pair struct{ cert, key []byte }

// newAuthority makes the one that the API server's clients have their certificates from.
func newAuthority() (*authority, error) {
	key, err := rsa.GenerateKey(rand.Reader, caKeyBits)
	if err != nil {
		return nil, fmt.Errorf("make CA key: %w", err)
	}
	return authorityOf(key)
}

// newEtcdAuthority makes the one that etcd's clients have their certificates from. It is another, so that no client of the API server is one
// of etcd.
func newEtcdAuthority() (*authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	return authorityOf(key)
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

func authorityOf(key crypto.Signer) (*authority, error) {
	template, err := template("nodefv")
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make CA certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read CA certificate: %w", err)
	}
	return &authority{cert: cert, key: key, pem: encode("CERTIFICATE", der)}, nil
}

func template(commonName string, groups ...string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName, Organization: groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(certLife),
	}, nil
}

// serving is a server's certificate, which is issued anew once its address is known.
type serving struct {
	authority *authority
	role      Role
	uses      []x509.ExtKeyUsage
	key       *ecdsa.PrivateKey
}

// server makes a server's key. It is known by its role, at the loopback and at the addresses that its certificate is issued for.
func (a *authority) server(role Role, uses ...x509.ExtKeyUsage) (serving, error) {
	key, err := newKey()
	return serving{a, role, append(uses, x509.ExtKeyUsageServerAuth), key}, err
}

func (s serving) at(addrs ...netip.Addr) (pair, error) {
	t, err := template(string(s.role))
	if err != nil {
		return pair{}, err
	}
	t.DNSNames, t.IPAddresses = []string{string(s.role), "localhost", "kubernetes.default.svc"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	for _, addr := range addrs {
		t.IPAddresses = append(t.IPAddresses, addr.AsSlice())
	}
	t.ExtKeyUsage = s.uses
	return s.authority.issue(t, s.key)
}

// client issues a certificate for a user of that name in these groups.
func (a *authority) client(commonName string, groups ...string) (pair, error) {
	t, err := template(commonName, groups...)
	if err != nil {
		return pair{}, err
	}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	key, err := newKey()
	if err != nil {
		return pair{}, err
	}
	return a.issue(t, key)
}

func (a *authority) issue(t *x509.Certificate, key *ecdsa.PrivateKey) (pair, error) {
	t.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return pair{}, fmt.Errorf("issue certificate for %s: %w", t.Subject.CommonName, err)
	}
	secret, err := x509.MarshalECPrivateKey(key) // the API server reads service-account keys in this form alone
	if err != nil {
		return pair{}, fmt.Errorf("encode key for %s: %w", t.Subject.CommonName, err)
	}
	return pair{encode("CERTIFICATE", der), encode("EC PRIVATE KEY", secret)}, nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// kubeconfig makes one for a party that reaches the API server at that URL.
func (a *authority) kubeconfig(server, commonName string, groups ...string) ([]byte, error) {
	p, err := a.client(commonName, groups...)
	if err != nil {
		return nil, err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["fv"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: a.pem}
	config.AuthInfos[commonName] = &clientcmdapi.AuthInfo{ClientCertificateData: p.cert, ClientKeyData: p.key}
	config.Contexts["fv"] = &clientcmdapi.Context{Cluster: "fv", AuthInfo: commonName}
	config.CurrentContext = "fv"
	data, err := clientcmd.Write(*config)
	if err != nil {
		return nil, fmt.Errorf("write kubeconfig of %s: %w", commonName, err)
	}
	return data, nil
}
