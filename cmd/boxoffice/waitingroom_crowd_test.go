package main_test

import (
	"container/heap"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// crowd is a client for tens of thousands of buyers: its exchanges are not held against the contract, and what it keeps of
// an answer is its bytes. The server must stay where it is.
type crowd struct {
	client *fasthttp.HostClient
}

// crowdConns is how many calls of a crowd are under way at once.
const crowdConns = 48

func newCrowd(t testing.TB, s *server) *crowd {
	public, _ := s.at()
	// Listeners call besides, from where they hear.
	c := &crowd{benchClient(public, 2*crowdConns)}
	c.client.MaxConnWaitTimeout = answerMax
	t.Cleanup(c.client.CloseIdleConnections)
	return c
}

// many is n, or less where the race detector makes everything slow.
func many(n int) int {
	if raceDetector {
		return n / 10
	}
	return n
}

// do a call; bearer, key and body may be empty.
func (c *crowd) do(method, path, bearer, key, body string) (a answer) {
	request, response := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(response)
	a.call = method + " " + path
	request.Header.SetMethod(method)
	request.SetRequestURI(path)
	request.Header.SetHost("boxoffice")
	if body != "" {
		request.Header.SetContentType("application/json")
		request.SetBodyString(body)
	}
	if bearer != "" {
		request.Header.Set("Authorization", "Bearer "+bearer)
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	if a.err = c.client.DoTimeout(request, response, answerMax); a.err != nil {
		return a
	}
	a.status, a.body = response.StatusCode(), append([]byte(nil), response.Body()...)
	a.header = map[string][]string{"Content-Type": {string(response.Header.ContentType())}}
	return a
}

func (c *crowd) join(event, key string) answer {
	return c.do("POST", "/api/waiting-room/sessions", "", key, `{"eventId":"`+event+`"}`)
}

func (c *crowd) look(sessionID string) answer {
	return c.do("GET", "/api/waiting-room/sessions/"+sessionID, "", "", "")
}

func (c *crowd) leave(sessionID string) answer {
	return c.do("DELETE", "/api/waiting-room/sessions/"+sessionID, "", "", "")
}

// buy one seat from begin to end.
func (c *crowd) buy(event, token, key, seat string) error {
	a := c.do("POST", "/api/orders", token, key, `{"eventId":"`+event+`"}`)
	if err := a.is(201); err != nil {
		return &failedError{a, err}
	}
	id := a.order().OrderID
	if a = c.do("POST", "/api/orders/"+id+":confirm", token, key, pay(named(seat), "tok_visa")); a.is(202) != nil {
		return &failedError{a, a.is(202)}
	}
	a = c.do("POST", "/api/orders/"+id+":finalize", token, key, "{}")
	if err := a.is(200); err != nil {
		return &failedError{a, err}
	}
	return nil
}

// failedError is a call that did not go as wanted.
type failedError struct {
	answer
	error
}

// tooLate says that the buyer's time had run out.
func tooLate(err error) bool {
	var failed *failedError
	if !errors.As(err, &failed) {
		return false
	}
	switch failed.code() {
	case "token-expired", "order-expired":
		return true
	}
	return false
}

// joinAll makes n sessions of an event, with a key for each that has one, and returns their ids.
func (c *crowd) joinAll(t testing.TB, event string, n int, key func(i int) string) []string {
	t.Helper()
	ids := make([]string, n)
	var next atomic.Int64
	each(t, crowdConns, func(int) error {
		for {
			i := int(next.Add(1)) - 1
			if i >= n {
				return nil
			}
			a := c.join(event, key(i))
			if err := a.is(201); err != nil {
				return err
			}
			ids[i] = a.session().SessionID
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return ids
}

// placesOf sessions by their ids, as the contract writes these.
func placesOf(t testing.TB, database, event string) map[string]int64 {
	t.Helper()
	type row struct {
		ID    string
		Place int64
	}
	places := map[string]int64{}
	// base64url without padding, as session ids have it.
	for _, r := range table[row](t, database, `
select event_id || '.s_' || rtrim(translate(encode(session_id, 'base64'), '+/', '-_'), '='), place
from session where event_id = $1`, event) {
		places[r.ID] = r.Place
	}
	return places
}

// agenda hands out what is due, to as many as ask, the earliest first. It ends when all that was put on it has been
// struck off.
type agenda struct {
	mu      sync.Mutex
	items   agendaHeap
	open    int
	changed chan struct{}
}

type agendaItem struct {
	due time.Time
	do  func() (again time.Duration) // negative: struck off
}

type agendaHeap []agendaItem

func (h agendaHeap) Len() int           { return len(h) }
func (h agendaHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h agendaHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *agendaHeap) Push(x any)        { *h = append(*h, x.(agendaItem)) }
func (h *agendaHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func newAgenda() *agenda { return &agenda{changed: make(chan struct{}, 1)} }

// expect something that will be pushed later.
func (a *agenda) expect() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open++
}

// push what was expected, due after a while.
func (a *agenda) push(after time.Duration, do func() time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	heap.Push(&a.items, agendaItem{time.Now().Add(after), do})
	a.poke()
}

// put something on it, due after a while.
func (a *agenda) put(after time.Duration, do func() time.Duration) {
	a.expect()
	a.push(after, do)
}

// poke whoever waits for something to be due.
func (a *agenda) poke() {
	select {
	case a.changed <- struct{}{}:
	default:
	}
}

// work it off with so many hands, until nothing is open or the time is over.
func (a *agenda) work(hands int, within time.Duration) error {
	over := time.NewTimer(within)
	defer over.Stop()
	ended := make(chan struct{})
	var all sync.WaitGroup
	for range hands {
		all.Go(func() {
			for a.step(ended) {
			}
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-over.C:
		close(ended)
		<-done
		a.mu.Lock()
		defer a.mu.Unlock()
		return fmt.Errorf("after %v there are still %d open", within, a.open)
	}
}

// step does what is due first, or waits for it; false once there is nothing left, or no time.
func (a *agenda) step(ended <-chan struct{}) bool {
	a.mu.Lock()
	if a.open == 0 {
		a.poke()
		a.mu.Unlock()
		return false
	}
	pause := time.Second // all is being done by others
	if len(a.items) > 0 {
		pause = time.Until(a.items[0].due)
	}
	if pause > 0 {
		a.mu.Unlock()
		return a.rest(pause, ended)
	}
	item := heap.Pop(&a.items).(agendaItem)
	a.mu.Unlock()
	again := item.do()
	if again >= 0 {
		a.push(again, item.do)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if again < 0 {
		a.open--
	}
	a.poke()
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

func (a *agenda) rest(d time.Duration, ended <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-a.changed:
	case <-ended:
		return false
	}
	return true
}
