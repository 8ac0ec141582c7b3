package engine

// Away does what keeps the SUT's program from running: what the Agent or Freeze do, or others. A change that it need not have put into force by
// then has DefaultBound from its return on: how long it is away is not its choice.
func (w *World) Away(do func() error) error {
	if w.watch != nil {
		w.watch.Leave()
		defer w.watch.Back()
	}
	return do()
}
