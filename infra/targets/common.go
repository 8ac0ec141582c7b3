package targets

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/nodefv/nodefv/infra"
)

// Direct is the driver's client: it is on the bridge, to which no proxy of the user's leads.
var Direct = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// Get asks for a page once and takes any answer but a success for an error.
func Get(ctx context.Context, client *http.Client, addr netip.Addr, port uint16, path string) error {
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

// InstallNode makes the local node's object, as decorate leaves it; one that is there is left alone.
func InstallNode(ctx context.Context, client kubernetes.Interface, node infra.NodeInfo, decorate func(any)) error {
	object := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: node.Name},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: node.Addr.String()}}},
	}
	decorate(object)
	_, err := client.CoreV1().Nodes().Create(ctx, object, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create node %s: %w", node.Name, err)
	}
	return nil
}

// VethName is a name for the host's end of a pod's veth, for a target that does not look at interfaces.
func VethName(namespace, pod string) string {
	sum := sha1.Sum([]byte(namespace + "." + pod))
	return "veth" + hex.EncodeToString(sum[:])[:11]
}
