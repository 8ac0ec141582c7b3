package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
)

// kind is the Descriptor of objects T, which the API has as A.
type kind[T Object, A any] struct {
	name            Kind
	word            string
	feature         Feature
	group, resource string
	namespaced      bool

	object func(*Fleet, T) *A
	client func(Clients, string) writer[A] // for a namespace; nil: the cluster does not know the kind
	list   func(context.Context, Clients, metav1.ListOptions) (runtime.Object, error)

	// The rest is nil or empty unless there is something particular about the kind.

	subresources []string                                 // that are written besides
	relabels     bool                                     // a change is one of labels
	patch        func(T) []edit                           // what a change writes; nil: the whole object
	amend        func(now, to T) T                        // what a change makes of an object; nil: to
	differs      func(a, b T) bool                        // in what can't be changed in place
	equals       func(a, b T) bool                        // in the rest; nil: semantically the same
	foreign      func(s State, key Key) bool              // not for fleets to make and remove
	draw         func(*rand.Rand, Key) T                  // one whose contents need fit nothing else
	created      func(context.Context, *Fleet, *A) error  // writes the rest of what has just been made
	deleted      func(context.Context, *Fleet, Key) error // and of what has just been deleted
}

// writer is what the clients of all kinds have in common.
type writer[A any] interface {
	Create(ctx context.Context, object *A, opts metav1.CreateOptions) (*A, error)
	Update(ctx context.Context, object *A, opts metav1.UpdateOptions) (*A, error)
	Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (*A, error)
	Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error
}

// edit is one change of a JSON patch.
type edit struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// errUnknown is the answer of a fleet whose cluster does not know a kind.
var errUnknown = errors.New("the cluster does not know this kind")

// lacking says whether an error of a list means that the cluster does not know the kind.
func lacking(err error) bool { return apierrors.IsNotFound(err) || errors.Is(err, errUnknown) }

func (k *kind[T, A]) Kind() Kind       { return k.name }
func (k *kind[T, A]) Word() string     { return k.word }
func (k *kind[T, A]) Feature() Feature { return k.feature }
func (k *kind[T, A]) Namespaced() bool { return k.namespaced }

func (k *kind[T, A]) Rights() []rbacv1.PolicyRule {
	rights := []rbacv1.PolicyRule{{
		APIGroups: []string{k.group}, Resources: []string{k.resource}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"},
	}}
	for _, s := range k.subresources {
		rights = append(rights, rbacv1.PolicyRule{APIGroups: []string{k.group}, Resources: []string{k.resource + "/" + s}, Verbs: []string{"update", "patch"}})
	}
	return rights
}

func (k *kind[T, A]) List(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
	if !c.use(k.feature) || k.client(c, "") == nil {
		return nil, errUnknown
	}
	return k.list(ctx, c, o)
}

func (k *kind[T, A]) Decode(text []byte) (Object, error) {
	var o T
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("read a %s: %w", k.word, err)
	}
	return o, nil
}

func (k *kind[T, A]) Draw(r *rand.Rand, key Key) Object {
	if k.draw == nil {
		return nil
	}
	return k.draw(r, key)
}

// add makes objects.
func (k *kind[T, A]) add(ctx context.Context, f *Fleet, objects []T) error {
	defer f.begin("create "+k.word, func(s *State) { put(s, objects) })()
	return k.writeNew(ctx, f, objects)
}

func put[T Object](s *State, objects []T) {
	for _, o := range objects {
		s.Put(o)
	}
}

func (k *kind[T, A]) writeNew(ctx context.Context, f *Fleet, objects []T) error {
	verb := "create " + k.word
	return run(ctx, f, work[T]{verb: verb, items: objects, name: nameOf[T], pace: f.api, do: func(ctx context.Context, o T) error {
		object := k.object(f, o)
		err := k.attempt(ctx, f, verb, o.Part().Key, apierrors.IsAlreadyExists, func(ctx context.Context, w writer[A]) error {
			_, err := w.Create(ctx, object, metav1.CreateOptions{})
			return err
		})
		if err != nil || k.created == nil {
			return err
		}
		return k.created(ctx, f, object)
	}})
}

func nameOf[T Object](o T) string { return o.Part().Key.String() }

// alter makes objects that exist what they are here. It is an error if one is not in the model; then nothing is changed.
func (k *kind[T, A]) alter(ctx context.Context, f *Fleet, objects []T) error {
	verb := "change " + k.word
	if k.relabels {
		verb = "relabel " + k.word
	}
	acknowledged, err := f.beginIn(verb, parts(objects), func(s *State) {
		if k.amend != nil {
			objects = slices.Clone(objects)
			for i, o := range objects {
				objects[i] = k.amend(s.Object(o.Part()).(T), o)
			}
		}
		put(s, objects)
	})
	if err != nil {
		return err
	}
	defer acknowledged()
	return run(ctx, f, work[T]{verb: verb, items: objects, name: nameOf[T], pace: f.api, do: func(ctx context.Context, o T) error {
		return k.attempt(ctx, f, verb, o.Part().Key, never, func(ctx context.Context, w writer[A]) error { return k.overwrite(ctx, f, w, o) })
	}})
}

func (k *kind[T, A]) overwrite(ctx context.Context, f *Fleet, w writer[A], o T) error {
	if k.patch == nil {
		_, err := w.Update(ctx, k.object(f, o), metav1.UpdateOptions{})
		return err
	}
	patch, err := json.Marshal(k.patch(o))
	if err == nil {
		_, err = w.Patch(ctx, o.Part().Key.Name, types.JSONPatchType, patch, metav1.PatchOptions{})
	}
	return err
}

// drop removes objects; those that are gone are no error.
func (k *kind[T, A]) drop(ctx context.Context, f *Fleet, keys []Key) error {
	keys = sorted(keys)
	defer f.begin("delete "+k.word, func(s *State) { s.Remove(k.parts(keys)...) })()
	return k.writeGone(ctx, f, keys)
}

func (k *kind[T, A]) writeGone(ctx context.Context, f *Fleet, keys []Key) error {
	verb := "delete " + k.word
	return run(ctx, f, work[Key]{verb: verb, items: keys, name: Key.String, pace: f.api, goOn: true, do: func(ctx context.Context, key Key) error {
		err := k.attempt(ctx, f, verb, key, never, func(ctx context.Context, w writer[A]) error { return ignoreGone(w.Delete(ctx, key.Name, now)) })
		if err != nil || k.deleted == nil {
			return err
		}
		return k.deleted(ctx, f, key)
	}})
}

// attempt makes a change by the kind's client.
func (k *kind[T, A]) attempt(ctx context.Context, f *Fleet, what string, key Key, done func(error) bool, do func(context.Context, writer[A]) error) error {
	clients := f.clients()
	w := k.client(clients, key.Namespace)
	if w == nil || !clients.use(k.feature) {
		return fmt.Errorf("%s %s: %w", what, key, errUnknown)
	}
	return attempt(ctx, what, key.String(), done, func(ctx context.Context) error { return do(ctx, w) })
}

func (k *kind[T, A]) parts(keys []Key) []Part {
	all := make([]Part, 0, len(keys))
	for _, key := range keys {
		all = append(all, k.name.Part(key))
	}
	return all
}

func parts[T Object](objects []T) []Part {
	all := make([]Part, 0, len(objects))
	for _, o := range objects {
		all = append(all, o.Part())
	}
	return all
}

func sorted(keys []Key) []Key { return slices.SortedFunc(slices.Values(keys), Key.Compare) }

func (k *kind[T, A]) create(ctx context.Context, f *Fleet, objects []Object) error {
	return k.add(ctx, f, typed[T](objects))
}

func (k *kind[T, A]) change(ctx context.Context, f *Fleet, objects []Object) error {
	return k.alter(ctx, f, typed[T](objects))
}

func (k *kind[T, A]) delete(ctx context.Context, f *Fleet, keys []Key) error {
	return k.drop(ctx, f, keys)
}

func typed[T Object](objects []Object) []T {
	all := make([]T, 0, len(objects))
	for _, o := range objects {
		all = append(all, o.(T))
	}
	return all
}

// listed returns none if the cluster may lack the kind and does not know it.
func (k *kind[T, A]) listed(ctx context.Context, f *Fleet) (keys []Key, err error) {
	list, err := k.List(ctx, f.clients(), metav1.ListOptions{LabelSelector: ours})
	if err == nil {
		err = apimeta.EachListItem(list, func(object runtime.Object) error {
			o, err := apimeta.Accessor(object)
			if err == nil {
				keys = append(keys, Key{o.GetNamespace(), o.GetName()})
			}
			return err
		})
	}
	if k.feature != "" && lacking(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list each %s: %w", k.word, err)
	}
	return keys, nil
}

func (k *kind[T, A]) remnants(*Fleet) []Key { return nil }

func (k *kind[T, A]) spared(s State, key Key) bool { return k.foreign != nil && k.foreign(s, key) }

func (k *kind[T, A]) same(was, is Object) bool {
	return k.differs == nil || !k.differs(was.(T), is.(T))
}

func (k *kind[T, A]) equal(was, is Object) bool {
	if k.equals != nil {
		return k.equals(was.(T), is.(T))
	}
	return equality.Semantic.DeepEqual(was, is)
}

// managedBy marks the objects that a fleet made, so that what is left of them can be listed.
const (
	managedBy = "app.kubernetes.io/managed-by"
	manager   = "nodefv"
	ours      = managedBy + "=" + manager
)

var now = metav1.DeleteOptions{GracePeriodSeconds: new(int64)}

func meta(k Key, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: k.Namespace, Name: k.Name, Labels: owned(labels)}
}

func owned(labels map[string]string) map[string]string {
	all := map[string]string{managedBy: manager}
	maps.Copy(all, labels)
	return all
}

// relabelling replaces all labels.
func relabelling(labels map[string]string) []edit {
	return []edit{{"add", "/metadata/labels", owned(labels)}}
}

// respecifying replaces the whole specification: an update of such a kind would need the version that it replaces.
func respecifying(spec any) []edit { return []edit{{"replace", "/spec", spec}} }
