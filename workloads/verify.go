package workloads

import (
	"context"
	"errors"
	"slices"
)

// Verify lists the objects of the API that differ from the model: there but not wanted, or wanted but not there.
func (f *Fleet) Verify(ctx context.Context) ([]string, error) {
	var differ []string
	var errs []error
	for _, d := range kinds {
		listed, err := d.listed(ctx, f)
		errs = append(errs, err)
		s := f.State()
		there := map[Key]bool{}
		for _, k := range listed {
			there[k] = true
			if s.Object(d.Kind().Part(k)) == nil && !d.spared(s, k) {
				differ = append(differ, d.Word()+" "+k.String()+" is left")
			}
		}
		for k := range s.each(d.Kind()) {
			if !there[k] && !d.spared(s, k) {
				differ = append(differ, d.Word()+" "+k.String()+" is missing")
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.Sort(differ)
	return differ, nil
}
