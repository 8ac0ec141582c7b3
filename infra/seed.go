package infra

import "context"

// Seeder is a Target that has objects in etcd when the API server begins to read it. Kinds that are known then are served from the
// beginning; those that come later, about two seconds after they came.
type Seeder interface {
	// Seed returns objects as the API server stores them, by their keys in etcd.
	Seed() (map[string][]byte, error)
}

// seed puts the target's objects into etcd as soon as that answers.
func (e *Environment) seed(ctx context.Context) error {
	target, ok := e.target.(Seeder)
	if !ok {
		return nil
	}
	objects, err := target.Seed()
	if err != nil {
		return err
	}
	client, err := e.etcd.client(dialOf(e.runtime, e.run))
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	return e.awaitReady(ctx, e.container(RoleEtcd), "etcd", func(ctx context.Context) error { return put(ctx, client, e.etcd.Addr, objects) })
}
