package workloads

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	adminclient "sigs.k8s.io/network-policy-api/pkg/client/clientset/versioned"
)

// NewClient returns a client that speaks protobuf and does not throttle itself.
func NewClient(cfg *rest.Config) (kubernetes.Interface, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.ContentType, cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf", "application/vnd.kubernetes.protobuf,application/json"
	cfg.QPS = -1
	client, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make an API client: %w", err)
	}
	return client, nil
}

// NewAdminClient returns a client for cluster-wide policies that does not throttle itself. It speaks JSON: kinds that are defined by
// others know no protobuf.
func NewAdminClient(cfg *rest.Config) (adminclient.Interface, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1
	client, err := adminclient.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make an API client: %w", err)
	}
	return client, nil
}

// backoff bounds how long a change is tried again while the API server is away or busy: some 20 s in all.
var backoff = wait.Backoff{Duration: 20 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 11}

// transient says whether an error may pass by itself: it is the server's or the connection's, not the object's. A server that has
// just started forbids everything until it has read the roles.
func transient(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsServerTimeout(err) || apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) ||
		apierrors.IsTimeout(err) || apierrors.IsConflict(err) || net.IsConnectionRefused(err) || net.IsConnectionReset(err) || net.IsProbableEOF(err) ||
		net.IsHTTP2ConnectionLost(err)
}

// attempt makes a change, again if the error is a passing one. done says which errors mean, after a
// failed try, that that try had done its work.
func attempt(ctx context.Context, what, name string, done func(error) bool, do func(context.Context) error) error {
	tries, begun, last := 0, time.Now(), error(nil)
	err := wait.ExponentialBackoffWithContext(ctx, backoff, func(ctx context.Context) (bool, error) {
		tries++
		last = do(ctx)
		switch {
		case last == nil, tries > 1 && done(last):
			return true, nil
		case transient(last):
			return false, nil
		}
		return false, last
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s: %w", what, name, context.Cause(ctx))
	case wait.Interrupted(err):
		return fmt.Errorf("%s %s: not done within %d tries and %v (last: %w)", what, name, tries, time.Since(begun).Round(time.Millisecond), last)
	}
	return fmt.Errorf("%s %s: %w", what, name, err)
}

func never(error) bool { return false }

// ignoreGone lets a deletion succeed on what is not there: a clean-up may follow a creation that failed.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
