package workloads

import (
	"encoding/json"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
)

var (
	aGateway = Gateway{Key: Key{"shop", "front"}, Class: "own", Listeners: []Listener{
		{Name: "http", Port: 80, Open: true}, {Name: "tls", Port: 443, Host: "*.example", Secret: "shown"},
	}}
	aRoute = HTTPRoute{
		Key: Key{"shop", "cart"}, Parents: []RouteParent{{Gateway: aGateway.Key, Listener: "tls"}}, Hosts: []string{"a.example"},
		Rules: []HTTPRouteRule{{
			Matches:  []HTTPRouteMatch{{Path: "/a", Exact: true, Method: "POST", Headers: map[string]string{"v": "1"}, Query: map[string]string{"q": "2"}}, {}},
			Backends: []RouteBackend{{Service: "web", Port: 80, Weight: 3}, {Service: "old", Port: 80}},
		}},
	}
)

func TestGatewaySpecs(t *testing.T) {
	for _, c := range []struct {
		spec map[string]any
		want string
	}{
		{aGateway.spec(), `{"gatewayClassName":"own","listeners":[` +
			`{"allowedRoutes":{"namespaces":{"from":"All"}},"name":"http","port":80,"protocol":"HTTP"},` +
			`{"allowedRoutes":{"namespaces":{"from":"Same"}},"hostname":"*.example","name":"tls","port":443,"protocol":"HTTPS",` +
			`"tls":{"certificateRefs":[{"group":"","kind":"Secret","name":"shown"}],"mode":"Terminate"}}]}`},
		{aRoute.spec(), `{"hostnames":["a.example"],"parentRefs":[{"name":"front","namespace":"shop","sectionName":"tls"}],"rules":[{` +
			`"backendRefs":[{"name":"web","port":80,"weight":3},{"name":"old","port":80,"weight":0}],` +
			`"matches":[{"headers":[{"name":"v","type":"Exact","value":"1"}],"method":"POST","path":{"type":"Exact","value":"/a"},` +
			`"queryParams":[{"name":"q","type":"Exact","value":"2"}]},{}]}]}`},
	} {
		if got, err := json.Marshal(c.spec); err != nil || string(got) != c.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, c.want)
		}
	}
}

func TestHTTPRouteStatusAndAge(t *testing.T) {
	client := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		gatewayResource: "GatewayList", httpRouteResource: "HTTPRouteList",
	})
	f := NewFleet(Config{Client: fake.NewClientset(), Features: []Feature{GatewayRoutes}, Dynamic: client}, NewState("here"))
	if err := f.Add(t.Context(), aGateway, aRoute); err != nil {
		t.Fatal(err)
	}
	made := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	told := func(of Part, in schema.GroupVersionResource, generation int64, status map[string]any) bool {
		t.Helper()
		o, err := client.Resource(in).Namespace(of.Key.Namespace).Get(t.Context(), of.Key.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		o.SetGeneration(generation)
		o.SetCreationTimestamp(metav1.NewTime(made))
		o.Object["status"] = status
		if _, err := client.Resource(in).Namespace(of.Key.Namespace).Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		published, err := f.Published(t.Context(), of)
		if err != nil {
			t.Fatal(err)
		}
		return published
	}
	condition := func(kind, is string, generation int64) map[string]any {
		return map[string]any{"conditions": []any{map[string]any{"type": "Other", "status": "True"}, map[string]any{"type": kind, "status": is, "observedGeneration": generation}}}
	}
	parents := func(all ...any) map[string]any { return map[string]any{"parents": all} }
	for _, c := range []struct {
		name   string
		of     Part
		in     schema.GroupVersionResource
		status map[string]any
		want   bool
	}{
		{"no status", aRoute.Part(), httpRouteResource, nil, false},
		{"accepted", aRoute.Part(), httpRouteResource, parents(condition("Accepted", "True", 2)), true},
		{"refused", aRoute.Part(), httpRouteResource, parents(condition("Accepted", "False", 2)), false},
		{"accepted as it was", aRoute.Part(), httpRouteResource, parents(condition("Accepted", "True", 1)), false},
		{"one parent of two", aRoute.Part(), httpRouteResource, parents(condition("Accepted", "True", 2), condition("Accepted", "False", 2)), false},
		{"a gateway without status", aGateway.Part(), gatewayResource, nil, false},
		{"programmed", aGateway.Part(), gatewayResource, condition("Programmed", "True", 2), true},
		{"accepted alone", aGateway.Part(), gatewayResource, condition("Accepted", "True", 2), false},
	} {
		if got := told(c.of, c.in, 2, c.status); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if err := f.Date(t.Context(), aRoute.Key); err != nil {
		t.Fatal(err)
	}
	if got := f.State().HTTPRoutes().Get(aRoute.Key); !got.Created.Equal(made) {
		t.Errorf("created %v", got.Created)
	}
	if d := differences(f.State(), stateOf(aGateway, aRoute)); len(d[HTTPRouteKind].moved)+len(d[HTTPRouteKind].fresh)+len(d[HTTPRouteKind].gone) > 0 {
		t.Errorf("its age alone makes a difference: %+v", d[HTTPRouteKind])
	}
	if err := f.Date(t.Context(), Key{"shop", "nobody"}); err == nil {
		t.Error("one that is not there has an age")
	}
	changed := aRoute
	changed.Hosts = nil
	if err := f.Change(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	if got := f.State().HTTPRoutes().Get(aRoute.Key); !got.Created.Equal(made) {
		t.Errorf("a change makes it younger: %v", got.Created)
	}
	if err := f.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left, err := client.Resource(httpRouteResource).List(t.Context(), metav1.ListOptions{}); err != nil || len(left.Items) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func stateOf(objects ...Object) State {
	s := NewState("here")
	s.Put(objects...)
	return s
}
