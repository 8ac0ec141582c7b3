package workloads

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// podObject is the pod as the API and the target want it.
func (f *Fleet) podObject(p Pod) *corev1.Pod {
	no, grace := false, int64(0)
	pod := &corev1.Pod{
		ObjectMeta: meta(p.Key, p.Labels),
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

// writeStatus gives a pod that has just been made its addresses, unless the target takes them from its annotations.
func (f *Fleet) writeStatus(ctx context.Context, pod *corev1.Pod) error {
	if f.cfg.OneWrite {
		return nil
	}
	return attempt(ctx, "update status of pod", Key{pod.Namespace, pod.Name}.String(), never, func(ctx context.Context) error {
		_, err := f.cfg.Client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, metav1.UpdateOptions{})
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
