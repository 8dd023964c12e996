package admission

import "time"

// demand is what an admission has read of its Demand, and what it reads next.
type demand struct {
	exists    bool
	recovered bool          // since the last Pull that failed
	reading   bool          // a Recover or a Pull is under way
	readAt    time.Duration // not before this
	failures  int           // in a row

	// Entries, by how far they are: read since the last Admit began; read before; dealt with, to be acknowledged.
	fresh, covered, done []string
	acking               bool
}

func newDemand(exists bool) demand { return demand{exists: exists} }

// launch reads on, as long as not too much is held.
func (d *demand) launch(now time.Duration, out *Effects) {
	if !d.exists || d.reading || d.full() || d.readAt > now {
		return
	}
	d.reading = true
	out.Pull = d.recovered
	out.Recover = !d.recovered
}

func (d *demand) full() bool { return len(d.fresh)+len(d.covered)+len(d.done) >= heldMax }

// read takes note of how a Recover or Pull ended.
func (d *demand) read(now time.Duration, ids []string, err error) {
	d.reading = false
	if err != nil {
		d.recovered = false
		d.readAt = now + min(pullPauseMin<<min(d.failures, 10), pullPauseMax)
		d.failures++
		return
	}
	d.recovered, d.failures = true, 0
	d.fresh = append(d.fresh, ids...)
}

// cover says that an Admit begins.
func (d *demand) cover() {
	d.covered = append(d.covered, d.fresh...)
	d.fresh = nil
}

// committed says that the Admit has been committed.
func (d *demand) committed() {
	d.done = append(d.done, d.covered...)
	d.covered = nil
}

// acknowledge what has been dealt with.
func (d *demand) acknowledge(out *Effects) {
	if d.acking || len(d.done) == 0 {
		return
	}
	d.acking = true
	out.Ack, d.done = d.done, nil
}

// next is when there is something to be read.
func (d *demand) next() time.Duration {
	if !d.exists || d.reading || d.full() {
		return never
	}
	return d.readAt
}
