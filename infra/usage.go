package infra

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// CPU returns what each running container of the environment has used of the processors since it started, by its role. It is an error if one
// can't tell.
func (e *Environment) CPU(ctx context.Context) (map[string]time.Duration, error) {
	all := e.watchable()
	if driver := e.container(RoleDriver); driver != nil {
		all[RoleDriver] = driver
	}
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		used   = map[string]time.Duration{}
		failed []error
	)
	for role, c := range all {
		wg.Go(func() {
			cpu, err := cpuOf(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, os.ErrNotExist) { // it is being restarted, or is over
				return
			}
			used[role], failed = cpu, append(failed, err)
		})
	}
	wg.Wait()
	return used, errors.Join(failed...)
}

func cpuOf(ctx context.Context, c Container) (time.Duration, error) {
	m, ok := c.(Metered)
	if !ok {
		return 0, fmt.Errorf("%s does not tell what it uses", c.Name())
	}
	return m.CPU(ctx)
}
