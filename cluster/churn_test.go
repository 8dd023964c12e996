package cluster

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"boxoffice/messages"
)

const (
	churnMembers = 20
	churnEvents  = 60
	// churnFor is a minute, in which as many members come as there are, and as many go.
	churnFor = time.Minute
	// reachableIn is how long an event may be out of reach at most, with a lease of a second.
	reachableIn = 5 * time.Second
)

// Goal: however members come and go, an event answers from one place at a time, and from one it does. Method: to two members
// twenty come, and twenty go, in a minute, some in order, some without a word, while every event is asked all the time, through any of
// them. What was answered is held against the epochs that it was answered in (oneVoice), and against the journal.
func TestChurn(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	b := newBox(t, churnEvents)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	nodes := []*Node{b.member(), b.member()}
	r := b.begin(churnEvents, 4, reachableIn, nodes...)
	var going sync.WaitGroup
	tick := time.NewTicker(churnFor / (2 * churnMembers))
	defer tick.Stop()
	came, went := 0, 0
	for came < churnMembers || went < churnMembers {
		<-tick.C
		if came < churnMembers && (len(nodes) < 3 || rng.IntN(2) == 0) {
			nodes = append(nodes, b.member())
			r.set(nodes...)
			came++
			continue
		}
		i := rng.IntN(len(nodes))
		leaving := nodes[i]
		nodes = append(nodes[:i:i], nodes[i+1:]...)
		r.set(nodes...)
		went++
		if rng.IntN(2) == 0 {
			r.kill(leaving)
			continue
		}
		going.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			leaving.HandOver(ctx)
			for leaving.InFlight() > 0 && ctx.Err() == nil {
				select {
				case <-time.After(time.Millisecond):
				case <-ctx.Done():
				}
			}
			leaving.Drain(ctx)
		})
	}
	going.Wait()
	for i := range churnEvents {
		begun := time.Now()
		until(t, func() bool { return r.node(i).Ask(t.Context(), reportOf(eventAt(i))).GetOutcome() == read })
		if took := time.Since(begun); took > reachableIn {
			t.Errorf("%s is out of reach for %v", eventAt(i), took)
		}
	}
	r.end()
	moves := 0
	for _, all := range b.spoke {
		moves += int(all[len(all)-1].epoch) - 1
	}
	t.Logf("%d members came and %d went in a minute: %d orders, %d refusals to be tried again, the longest order took %v; the %d events moved %d times",
		came, went, r.created.Load(), r.refused.Load(), r.longest.Round(time.Millisecond), churnEvents, moves)
}

// BenchmarkAsk compares a request to an event on this node with one to an event on another, over loopback, side by side.
func BenchmarkAsk(bench *testing.B) {
	b := newBox(bench, 64)
	nodes := []*Node{b.member(), b.member()}
	b.agree(nodes)
	var here, there []string
	for i := range 64 {
		if e := eventAt(i); nodes[0].owns(name{owner, e}) {
			here = append(here, e)
		} else {
			there = append(there, e)
		}
	}
	for _, c := range []struct {
		name   string
		events []string
	}{{"local", here}, {"remote", there}} {
		for _, callers := range []int{1, 64} {
			bench.Run(c.name+"/callers="+strconv.Itoa(callers), func(bench *testing.B) {
				asks := make(chan int)
				var all sync.WaitGroup
				for range callers {
					all.Go(func() {
						for i := range asks {
							if got := nodes[0].Ask(bench.Context(), reportOf(c.events[i%len(c.events)])).GetOutcome(); got != messages.Outcome_OUTCOME_READ {
								bench.Error(got)
							}
						}
					})
				}
				for i := 0; bench.Loop(); i++ {
					asks <- i
				}
				close(asks)
				all.Wait()
			})
		}
	}
}
