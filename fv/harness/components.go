package harness

import (
	"slices"
	"strings"

	"github.com/nodefv/nodefv/infra/build"
	"github.com/nodefv/nodefv/infra/targets"
)

// controlPlane are the components of every environment that users can give.
var controlPlane = []targets.Component{
	{Name: build.Etcd, Title: "etcd", Module: "go.etcd.io/etcd/server/v3", Variable: "ETCD"},
	{Name: build.Kubernetes, Title: "the API server (kube-apiserver)", Module: "k8s.io/kubernetes", Variable: "K8S"},
}

// Components are all of which users can give an image or a binary of their own, by name.
func Components() []targets.Component {
	all := slices.Clone(controlPlane)
	for _, t := range targets.All() {
		all = append(all, t.Components...)
	}
	slices.SortFunc(all, func(a, b targets.Component) int { return strings.Compare(a.Name, b.Name) })
	return all
}
