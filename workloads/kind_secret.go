package workloads

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SecretKind is the kind of secrets.
const SecretKind Kind = "Secret"

// Secret is a certificate with its key, both as PEM.
type Secret struct {
	Key
	Certificate, PrivateKey []byte
}

// Part names the secret.
func (s Secret) Part() Part { return SecretKind.Part(s.Key) }

// Secrets are the secrets.
func (s State) Secrets() Objects[Secret] { return Objects[Secret]{s, SecretKind} }

var secrets = &kind[Secret, corev1.Secret]{
	name: SecretKind, word: "secret", feature: RequestRouting, resource: "secrets", namespaced: true,
	object: func(_ *Fleet, s Secret) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: meta(s.Key, nil), Type: corev1.SecretTypeTLS, Data: s.data()}
	},
	client: func(c Clients, namespace string) writer[corev1.Secret] { return c.Core.CoreV1().Secrets(namespace) },
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Core.CoreV1().Secrets("").List(ctx, o)
	},
	patch: func(s Secret) []edit { return []edit{{"replace", "/data", s.data()}} },
}

func (s Secret) data() map[string][]byte {
	return map[string][]byte{corev1.TLSCertKey: s.Certificate, corev1.TLSPrivateKeyKey: s.PrivateKey}
}

// AddSecrets makes secrets.
func (f *Fleet) AddSecrets(ctx context.Context, all []Secret) error { return secrets.add(ctx, f, all) }

// ChangeSecrets gives secrets that exist the certificates that they have here.
func (f *Fleet) ChangeSecrets(ctx context.Context, all []Secret) error {
	return secrets.alter(ctx, f, all)
}

// RemoveSecrets removes secrets.
func (f *Fleet) RemoveSecrets(ctx context.Context, keys []Key) error {
	return secrets.drop(ctx, f, keys)
}
