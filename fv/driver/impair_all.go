package driver

import (
	"errors"

	"github.com/nodefv/nodefv/workloads"
	"github.com/nodefv/nodefv/workloads/impair"
)

// ordered is an impairment that is to be in force on a link.
type ordered struct {
	key   workloads.Key // of the link
	link  *impair.Link
	asked impair.Impairment
}

// setAll puts impairments in force, or none of them: what one of them was before another failed it is again, but for what was counted of it.
// The lock is held.
func (w *Wire) setAll(all []ordered) (err error) {
	var undo []func() error
	for _, o := range all {
		was, there, lookErr := inForce(o.link, o.asked.Name)
		if lookErr != nil {
			err = lookErr
			break
		}
		w.note(o.key, true)
		undo = append(undo, func() error { return w.noteEnd(o.key, o.link) })
		if err = o.link.Set(o.asked); err != nil {
			break
		}
		undo = append(undo, func() error {
			if there {
				return o.link.Set(was)
			}
			return o.link.Clear(o.asked.Name)
		})
	}
	if err == nil {
		return nil
	}
	for i := len(undo) - 1; i >= 0; i-- {
		err = errors.Join(err, undo[i]())
	}
	return err
}

// inForce finds the impairment of that name on a link.
func inForce(link *impair.Link, name string) (i impair.Impairment, there bool, err error) {
	all, err := link.Show()
	for _, r := range all {
		if r.Name == name {
			return r.Impairment, true, err
		}
	}
	return i, false, err
}
