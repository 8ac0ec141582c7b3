package engine

// Away does what keeps the SUT's program from running: what the Agent or Freeze do, or others. A change that it need not have put into force by
// then has DefaultBound from its return on: how long it is away is not its choice.
func (w *World) Away(do func() error) error { return leaving(w.watch, do) }

// AwayOf is Away of the n-th instance alone, from 1: the others are judged as ever.
func (w *World) AwayOf(n int, do func() error) error {
	if many, ok := w.watch.(ManyWatched); ok {
		return leaving(many.Instance(n), do)
	}
	return leaving(w.watch, do)
}

func leaving(watch Watch, do func() error) error {
	if watch != nil {
		watch.Leave()
		defer watch.Back()
	}
	return do()
}
