package infra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
)

// Seeder is a Target that has objects in etcd when the API server begins to read it. Kinds that are known then are served from the
// beginning; those that come later, about two seconds after they came.
type Seeder interface {
	// Seed returns objects as the API server stores them, by their keys in etcd.
	Seed() (map[string][]byte, error)
}

// seed puts the target's objects into etcd as soon as that answers.
func (e *Environment) seed(ctx context.Context, etcd Container) error {
	target, ok := e.target.(Seeder)
	if !ok {
		return nil
	}
	objects, err := target.Seed()
	if err != nil {
		return err
	}
	type operation struct {
		Put map[string][]byte `json:"requestPut"`
	}
	var all struct {
		Success []operation `json:"success"`
	}
	for key, value := range objects {
		all.Success = append(all.Success, operation{map[string][]byte{"key": []byte(key), "value": value}})
	}
	request, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode objects for etcd: %w", err)
	}
	client, url := Client(e.runtime, e.run), "http://"+netip.AddrPortFrom(etcd.Addr(), 2379).String()+"/v3/kv/txn"
	return e.awaitReady(ctx, etcd, "etcd", func(ctx context.Context) error { return post(ctx, client, url, request) })
}

func post(ctx context.Context, client *http.Client, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	said, err := io.ReadAll(io.LimitReader(response.Body, 4<<10))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, strings.TrimSpace(string(said)))
	}
	return nil
}
