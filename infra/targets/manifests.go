package targets

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/uuid"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/nodefv/nodefv/infra/lifecycle"
)

// Manifests are what a release brings along for the API server.
type Manifests struct {
	CRDs []*unstructured.Unstructured // each once, by name
	Role []rbacv1.PolicyRule          // the rights of the user that was asked for; none: they do not say
}

const (
	crdWord  = "CustomResourceDefinition"
	roleWord = "ClusterRole"
)

// ReadManifests reads files, and folders of them, for their CRDs and the role of a user; all else in them is passed over.
func ReadManifests(paths []string, user string) (Manifests, error) {
	var m Manifests
	seen := map[string]bool{}
	for _, path := range paths {
		files := []string{path}
		if info, err := os.Stat(path); err != nil {
			return m, fmt.Errorf("read manifests: %w", err)
		} else if info.IsDir() {
			if files, err = filepath.Glob(filepath.Join(path, "*.yaml")); err != nil {
				return m, fmt.Errorf("read manifests: %w", err)
			}
		}
		for _, file := range files {
			if err := m.read(file, user, seen); err != nil {
				return m, fmt.Errorf("read manifest %s: %w", filepath.Base(file), err)
			}
		}
	}
	return m, nil
}

func (m *Manifests) read(file, user string, seen map[string]bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	reader := yamlstream.NewYAMLReader(bufio.NewReader(f))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if bytes.Contains(document, []byte(crdWord)) || bytes.Contains(document, []byte(roleWord)) {
			if err := m.add(document, user, seen); err != nil {
				return err
			}
		}
	}
}

func (m *Manifests) add(document []byte, user string, seen map[string]bool) error {
	object := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(document, &object.Object); err != nil {
		return err
	}
	name := object.GetKind() + " " + object.GetName()
	if seen[name] {
		return nil
	}
	seen[name] = true
	switch {
	case object.GetKind() == crdWord:
		m.CRDs = append(m.CRDs, object)
	case object.GetKind() == roleWord && object.GetName() == user:
		var role rbacv1.ClusterRole
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			return err
		}
		m.Role = role.Rules
	}
	return nil
}

// Of keeps the CRDs of some API groups alone.
func (m Manifests) Of(groups ...string) Manifests {
	m.CRDs = slices.DeleteFunc(slices.Clone(m.CRDs), func(crd *unstructured.Unstructured) bool {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		return !slices.Contains(groups, group)
	})
	return m
}

// crdKey begins the keys in etcd of kinds.
const crdKey = "/registry/apiextensions.k8s.io/customresourcedefinitions/"

// Seed returns the CRDs as they are stored, by their keys in etcd, once the API server has accepted them.
func (m Manifests) Seed() (map[string][]byte, error) {
	stored := map[string][]byte{}
	for _, crd := range m.CRDs {
		accept(crd, time.Now())
		var err error
		if stored[crdKey+crd.GetName()], err = crd.MarshalJSON(); err != nil {
			return nil, fmt.Errorf("encode CRD %s: %w", crd.GetName(), err)
		}
	}
	return stored, nil
}

// accept gives a CRD what the API server gives it when it comes and when its names are accepted.
func accept(crd *unstructured.Unstructured, now time.Time) {
	crd.SetUID(uuid.NewUUID())
	crd.SetGeneration(1)
	crd.SetCreationTimestamp(metav1.NewTime(now))
	var conditions []any
	for kind, reason := range map[string]string{"NamesAccepted": "NoConflicts", "Established": "InitialNamesAccepted"} {
		conditions = append(conditions, map[string]any{
			"type": kind, "status": "True", "reason": reason, "lastTransitionTime": now.UTC().Format(time.RFC3339),
		})
	}
	names, _, _ := unstructured.NestedMap(crd.Object, "spec", "names")
	var versions []any
	all, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range all {
		if version, ok := v.(map[string]any); ok && version["storage"] == true {
			versions = append(versions, version["name"])
		}
	}
	crd.Object["status"] = map[string]any{"conditions": conditions, "acceptedNames": names, "storedVersions": versions}
}

// servedBound is how long the API server may take to serve new kinds; it needs about two seconds.
const servedBound = 30 * time.Second

var crdResource = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// Install makes the CRDs, those that are not there yet, and returns once all are served.
func (m Manifests) Install(ctx context.Context, dyn dynamic.Interface) error {
	var group errgroup.Group
	group.SetLimit(8)
	for _, crd := range m.CRDs {
		group.Go(func() error { return installCRD(ctx, dyn, crd) })
	}
	return group.Wait()
}

func installCRD(ctx context.Context, dyn dynamic.Interface, crd *unstructured.Unstructured) error {
	if _, err := dyn.Resource(crdResource).Create(ctx, crd, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create CRD %s: %w", crd.GetName(), err)
	}
	return lifecycle.Wait(ctx, "CRD "+crd.GetName(), servedBound, func(ctx context.Context) error {
		return served(ctx, dyn, crd)
	})
}

// served is nil once a list of the kind is answered; the condition Established comes earlier.
func served(ctx context.Context, dyn dynamic.Interface, crd *unstructured.Unstructured) error {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	for _, v := range versions {
		version, ok := v.(map[string]any)
		if !ok || version["served"] != true {
			continue
		}
		name, _ := version["name"].(string)
		_, err := dyn.Resource(schema.GroupVersionResource{Group: group, Version: name, Resource: plural}).List(ctx, metav1.ListOptions{Limit: 1})
		if err != nil {
			return err
		}
	}
	return nil
}
