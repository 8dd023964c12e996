package cluster

import "sync/atomic"

// Pool runs functions on goroutines, at most size at once; up to waiting more wait for their turn.
type Pool struct {
	slots  chan struct{}
	load   atomic.Int64
	atMost int64
}

// NewPool makes a pool.
func NewPool(size, waiting int) *Pool {
	return &Pool{slots: make(chan struct{}, size), atMost: int64(size + waiting)}
}

// Go runs f soon and returns true, or false at once where too many wait already.
func (p *Pool) Go(f func()) bool {
	if p.load.Add(1) > p.atMost {
		p.load.Add(-1)
		return false
	}
	go func() {
		defer p.load.Add(-1)
		p.slots <- struct{}{}
		defer func() { <-p.slots }()
		f()
	}()
	return true
}
