package infra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestPurge(t *testing.T) {
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprintf("/registry/pods/ns/%d", i))
	}
	var gone []string
	var mu sync.Mutex
	refuse := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse {
			http.Error(w, "etcdserver: no space", http.StatusBadRequest)
			return
		}
		var got map[string][]byte
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil || r.URL.Path != "/v3/kv/deleterange" || len(got) != 1 {
			t.Errorf("%s: got %v, %v", r.URL.Path, got, err)
		}
		mu.Lock()
		defer mu.Unlock()
		gone = append(gone, string(got["key"]))
	}))
	defer server.Close()
	etcd := netip.MustParseAddrPort(strings.TrimPrefix(server.URL, "http://"))
	if err := Purge(t.Context(), etcd, keys); err != nil {
		t.Fatal(err)
	}
	slices.Sort(gone)
	if slices.Sort(keys); !slices.Equal(gone, keys) {
		t.Errorf("%d of %d are gone", len(gone), len(keys))
	}
	refuse = true
	if err := Purge(t.Context(), etcd, keys); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
}
