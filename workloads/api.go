package workloads

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// managedBy marks the objects that a fleet made, so that what is left of them can be listed.
const (
	managedBy = "app.kubernetes.io/managed-by"
	manager   = "nodefv"
	ours      = managedBy + "=" + manager
)

var now = metav1.DeleteOptions{GracePeriodSeconds: new(int64)}

func meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: owned(labels)}
}

func owned(labels map[string]string) map[string]string {
	all := map[string]string{managedBy: manager}
	maps.Copy(all, labels)
	return all
}

// podObject is the pod as the API and the target want it.
func (f *Fleet) podObject(p Pod) *corev1.Pod {
	no, grace := false, int64(0)
	pod := &corev1.Pod{
		ObjectMeta: meta(p.Namespace, p.Name, p.Labels),
		Spec: corev1.PodSpec{
			NodeName: p.Node, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{Name: "workload", Image: "workload"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	if f.cfg.LocalIP.IsValid() && p.Node == f.local {
		pod.Status.HostIP = f.cfg.LocalIP.String()
		pod.Status.HostIPs = []corev1.HostIP{{IP: pod.Status.HostIP}}
	}
	for _, ip := range p.IPs {
		pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: ip.String()})
		pod.Status.PodIP = pod.Status.PodIPs[0].IP
	}
	for _, port := range p.Ports {
		c := &pod.Spec.Containers[0]
		c.Ports = append(c.Ports, corev1.ContainerPort{Name: port.Name, Protocol: port.Protocol, ContainerPort: int32(port.Port)})
	}
	f.cfg.Decorate(pod)
	return pod
}

func (f *Fleet) createPod(ctx context.Context, p Pod) error {
	pod := f.podObject(p)
	pods := f.cfg.Client.CoreV1().Pods(p.Namespace)
	err := attempt(ctx, "create pod", p.String(), apierrors.IsAlreadyExists, func(ctx context.Context) error {
		_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	if err != nil || f.cfg.OneWrite {
		return err
	}
	return attempt(ctx, "update status of pod", p.String(), never, func(ctx context.Context) error {
		_, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err
	})
}

// writeIPs puts a pod's addresses, in one write, into its status and into whatever annotations the target puts on a pod for them; an
// annotation that it has no more becomes empty.
func (f *Fleet) writeIPs(ctx context.Context, before, after Pod) error {
	was, is := f.podObject(before), f.podObject(after)
	annotations := map[string]string{}
	for k := range was.Annotations {
		annotations[k] = ""
	}
	maps.Copy(annotations, is.Annotations)
	return f.patchStatus(ctx, "change addresses of pod", after, map[string]any{"metadata": map[string]any{"annotations": annotations}, "status": addresses(is)})
}

// writePhase lets a pod end. Its status tells its addresses.
func (f *Fleet) writePhase(ctx context.Context, p Pod, phase corev1.PodPhase) error {
	status := addresses(f.podObject(p))
	status["phase"] = phase
	return f.patchStatus(ctx, "finish pod", p, map[string]any{"status": status})
}

func addresses(p *corev1.Pod) map[string]any {
	if len(p.Status.PodIPs) == 0 {
		return map[string]any{"podIP": nil, "podIPs": nil}
	}
	return map[string]any{"podIP": p.Status.PodIP, "podIPs": p.Status.PodIPs}
}

func (f *Fleet) patchStatus(ctx context.Context, what string, p Pod, change map[string]any) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, p, err)
	}
	return attempt(ctx, what, p.String(), never, func(ctx context.Context) error {
		_, err := f.cfg.Client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
		return err
	})
}

func (f *Fleet) deletePod(ctx context.Context, k Key) error {
	return attempt(ctx, "delete pod", k.String(), never, func(ctx context.Context) error {
		return ignoreGone(f.cfg.Client.CoreV1().Pods(k.Namespace).Delete(ctx, k.Name, now))
	})
}

func (f *Fleet) createNode(ctx context.Context, n Node) error {
	node := &corev1.Node{
		ObjectMeta: meta("", n.Name, n.Labels),
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.IP.String()}}},
	}
	f.cfg.Decorate(node)
	return attempt(ctx, "create node", n.Name, apierrors.IsAlreadyExists, func(ctx context.Context) error {
		_, err := f.cfg.Client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
		return err
	})
}

func (f *Fleet) deleteNode(ctx context.Context, name string) error {
	return attempt(ctx, "delete node", name, never, func(ctx context.Context) error {
		return ignoreGone(f.cfg.Client.CoreV1().Nodes().Delete(ctx, name, now))
	})
}

func (f *Fleet) createNamespace(ctx context.Context, n Namespace) error {
	return attempt(ctx, "create namespace", n.Name, apierrors.IsAlreadyExists, func(ctx context.Context) error {
		_, err := f.cfg.Client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: meta("", n.Name, n.Labels)}, metav1.CreateOptions{})
		return err
	})
}

// deleteNamespace finalizes an emptied namespace as well: with no controller-manager it would stay Terminating. Where one runs,
// it may be faster.
func (f *Fleet) deleteNamespace(ctx context.Context, name string) error {
	namespaces := f.cfg.Client.CoreV1().Namespaces()
	err := attempt(ctx, "delete namespace", name, never, func(ctx context.Context) error {
		return ignoreGone(namespaces.Delete(ctx, name, now))
	})
	if err != nil {
		return err
	}
	return attempt(ctx, "finalize namespace", name, never, func(ctx context.Context) error {
		ns, err := namespaces.Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			ns.Spec.Finalizers = nil
			_, err = namespaces.Finalize(ctx, ns, metav1.UpdateOptions{})
		}
		return ignoreGone(err)
	})
}

func (f *Fleet) createPolicy(ctx context.Context, p Policy) error {
	policy := &networkingv1.NetworkPolicy{ObjectMeta: meta(p.Namespace, p.Name, nil), Spec: p.Spec}
	return attempt(ctx, "create policy", p.String(), apierrors.IsAlreadyExists, func(ctx context.Context) error {
		_, err := f.cfg.Client.NetworkingV1().NetworkPolicies(p.Namespace).Create(ctx, policy, metav1.CreateOptions{})
		return err
	})
}

func (f *Fleet) deletePolicy(ctx context.Context, k Key) error {
	return attempt(ctx, "delete policy", k.String(), never, func(ctx context.Context) error {
		return ignoreGone(f.cfg.Client.NetworkingV1().NetworkPolicies(k.Namespace).Delete(ctx, k.Name, now))
	})
}

func (f *Fleet) changePolicy(ctx context.Context, p Policy) error {
	policies := f.cfg.Client.NetworkingV1().NetworkPolicies(p.Namespace)
	return attempt(ctx, "change policy", p.String(), never, func(ctx context.Context) error {
		_, err := policies.Update(ctx, &networkingv1.NetworkPolicy{ObjectMeta: meta(p.Namespace, p.Name, nil), Spec: p.Spec}, metav1.UpdateOptions{})
		return err
	})
}

func (f *Fleet) relabelPod(ctx context.Context, p Pod) error {
	return attempt(ctx, "relabel pod", p.String(), never, func(ctx context.Context) error {
		_, err := f.cfg.Client.CoreV1().Pods(p.Namespace).Patch(ctx, p.Name, types.JSONPatchType, relabelling(p.Labels), metav1.PatchOptions{})
		return err
	})
}

func (f *Fleet) relabelNamespace(ctx context.Context, n Namespace) error {
	labels := maps.Clone(n.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[metadataName] = n.Name // the API refuses a namespace without it
	return attempt(ctx, "relabel namespace", n.Name, never, func(ctx context.Context) error {
		_, err := f.cfg.Client.CoreV1().Namespaces().Patch(ctx, n.Name, types.JSONPatchType, relabelling(labels), metav1.PatchOptions{})
		return err
	})
}

// relabelling is a patch that replaces all labels: strings alone always make JSON.
func relabelling(labels map[string]string) []byte {
	patch, _ := json.Marshal([]map[string]any{{"op": "add", "path": "/metadata/labels", "value": owned(labels)}})
	return patch
}
