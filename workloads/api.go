package workloads

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/retry"
)

// managedBy marks the objects that a fleet made, so that what is left of them can be listed.
const (
	managedBy = "app.kubernetes.io/managed-by"
	manager   = "nodefv"
	ours      = managedBy + "=" + manager
)

// NewClient returns a client that speaks protobuf and does not throttle itself.
func NewClient(cfg *rest.Config) (kubernetes.Interface, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.ContentType, cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	cfg.QPS = -1
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make an API client: %w", err)
	}
	return client, nil
}

// backoff bounds how long a change is tried again while the API server is away or busy: some 20 s in all.
var backoff = wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 11, Cap: 5 * time.Second}

func transient(err error) bool {
	return apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsTimeout(err) || apierrors.IsConflict(err) || net.IsConnectionRefused(err) || net.IsConnectionReset(err) || net.IsProbableEOF(err)
}

// attempt makes a change, again if the error is a passing one. done says which errors mean, after a
// failed try, that that try had done its work.
func attempt(ctx context.Context, what, name string, done func(error) bool, do func(context.Context) error) error {
	tries := 0
	err := retry.OnError(backoff, func(err error) bool { return ctx.Err() == nil && transient(err) }, func() error {
		tries++
		err := do(ctx)
		if tries > 1 && done(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	return nil
}

var now = metav1.DeleteOptions{GracePeriodSeconds: new(int64)}

func meta(namespace, name string, labels map[string]string) metav1.ObjectMeta {
	all := map[string]string{managedBy: manager}
	for k, v := range labels {
		all[k] = v
	}
	return metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: all}
}

func (f *Fleet) createPod(ctx context.Context, p Pod) error {
	no, grace := false, int64(0)
	pod := &corev1.Pod{
		ObjectMeta: meta(p.Namespace, p.Name, p.Labels),
		Spec: corev1.PodSpec{
			NodeName: p.Node, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &grace,
			Containers: []corev1.Container{{Name: "workload", Image: "workload"}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	for _, ip := range p.IPs {
		pod.Status.PodIPs = append(pod.Status.PodIPs, corev1.PodIP{IP: ip.String()})
		pod.Status.PodIP = pod.Status.PodIPs[0].IP
	}
	f.cfg.Decorate(pod)
	pods := f.cfg.Client.CoreV1().Pods(p.Namespace)
	status := pod.Status
	err := attempt(ctx, "create pod", p.String(), apierrors.IsAlreadyExists, func(ctx context.Context) error {
		_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
	if err != nil || f.cfg.OneWrite {
		return err
	}
	pod.Status = status
	return attempt(ctx, "update status of pod", p.String(), never, func(ctx context.Context) error {
		_, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{})
		return err
	})
}

func never(error) bool { return false }

// ignoreGone lets a deletion succeed on what is not there: a clean-up may follow a creation that failed.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (f *Fleet) deletePod(ctx context.Context, k Key) error {
	return attempt(ctx, "delete pod", k.String(), never, func(ctx context.Context) error {
		return ignoreGone(f.cfg.Client.CoreV1().Pods(k.Namespace).Delete(ctx, k.Name, now))
	})
}

func (f *Fleet) createNode(ctx context.Context, n Node) error {
	node := &corev1.Node{
		ObjectMeta: meta("", n.Name, nil),
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

// Verify lists the objects of the API that differ from the model: there but not wanted, or wanted but not there.
func (f *Fleet) Verify(ctx context.Context) ([]string, error) {
	got, err := f.listed(ctx)
	if err != nil {
		return nil, err
	}
	s := f.State()
	want := map[string]bool{}
	for n := range s.Nodes {
		if n != s.LocalNode {
			want["node "+n] = true
		}
	}
	for n := range s.Namespaces {
		want["namespace "+n] = true
	}
	for k := range s.Pods {
		want["pod "+k.String()] = true
	}
	for k := range s.Policies {
		want["policy "+k.String()] = true
	}
	var differ []string
	for name := range got {
		if !want[name] {
			differ = append(differ, name+" is left")
		}
	}
	for name := range want {
		if !got[name] {
			differ = append(differ, name+" is missing")
		}
	}
	slices.Sort(differ)
	return differ, nil
}

func (f *Fleet) listed(ctx context.Context) (map[string]bool, error) {
	got, options := map[string]bool{}, metav1.ListOptions{LabelSelector: ours}
	nodes, err := f.cfg.Client.CoreV1().Nodes().List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	for _, n := range nodes.Items {
		got["node "+n.Name] = true
	}
	namespaces, err := f.cfg.Client.CoreV1().Namespaces().List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	for _, n := range namespaces.Items {
		got["namespace "+n.Name] = true
	}
	pods, err := f.cfg.Client.CoreV1().Pods("").List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	for _, p := range pods.Items {
		got["pod "+p.Namespace+"/"+p.Name] = true
	}
	policies, err := f.cfg.Client.NetworkingV1().NetworkPolicies("").List(ctx, options)
	if err != nil {
		return nil, fmt.Errorf("list policies: %w", err)
	}
	for _, p := range policies.Items {
		got["policy "+p.Namespace+"/"+p.Name] = true
	}
	return got, nil
}
