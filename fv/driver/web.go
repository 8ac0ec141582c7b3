package driver

import (
	"errors"

	"github.com/nodefv/nodefv/metrics/report"
	"github.com/nodefv/nodefv/scenarios/routed"
	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/traffic/web"
)

var _ routed.Presser = (*web.Client)(nil)

// ServeWeb lets each pod that is plugged from now on serve HTTP on a port, until it is unplugged.
func (w *Wire) ServeWeb(port uint16) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.backends != nil {
		return nil
	}
	return w.prober.Node().Do(func() (err error) {
		w.backends, err = web.Serve(w.plugger, web.Serving{})
		w.webPort = port
		return err
	})
}

// Backends returns the servers of the pods; nil unless ServeWeb was called.
func (w *Wire) Backends() *web.Backends {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.backends
}

// Asker returns the client of the node and its pods, which is made at the first call and closed with the wire.
func (w *Wire) Asker() (*web.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asker != nil {
		return w.asker, nil
	}
	err := w.prober.Node().Do(func() (err error) {
		w.asker, err = web.NewClient(w.plugger)
		return err
	})
	return w.asker, err
}

// serveIn lets pods that are plugged serve.
func (w *Wire) serveIn(pods []workloads.Plug) error {
	backends := w.Backends()
	if backends == nil {
		return nil
	}
	var failed error
	for _, p := range pods {
		failed = errors.Join(failed, backends.Add(p.Pod, w.webPort))
	}
	return failed
}

// leaveWeb closes what servers and clients have in pods' namespaces. The lock is held.
func (w *Wire) leaveWeb(pods []workloads.Key) {
	if w.backends != nil {
		w.backends.Remove(pods...)
	}
	if w.asker != nil {
		w.asker.Release(pods...)
	}
}

func (w *Wire) closeWeb() (errs error) {
	if w.asker != nil {
		errs = w.asker.Close()
	}
	if w.backends != nil {
		errs = errors.Join(errs, w.backends.Close())
	}
	return errs
}

// noteEnvironment writes down what of the node bounds a load, and how often its limits were hit so far. Where it can't be read, the record lacks it.
func (d *Driver) noteEnvironment() {
	if e, err := web.Environment(nil, 0); err == nil {
		d.write(report.Entry{Environment: &e})
	}
}
