package workloads

import (
	"fmt"
	"testing"
)

// TestHeadersComeInOrder wants the same HTTPProxy to be the same object each time.
func TestHeadersComeInOrder(t *testing.T) {
	p := HTTPProxy{Routes: []HTTPProxyRoute{{Headers: map[string]string{"x-d": "4", "x-b": "2", "x-e": "5", "x-a": "1", "x-c": "3"}}}}
	route := p.spec()["routes"].([]any)[0].(map[string]any)
	var got string
	for _, c := range route["conditions"].([]any) {
		header := c.(map[string]any)["header"].(map[string]any)
		got += fmt.Sprint(header["name"], "=", header["exact"], " ")
	}
	if want := "x-a=1 x-b=2 x-c=3 x-d=4 x-e=5 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
