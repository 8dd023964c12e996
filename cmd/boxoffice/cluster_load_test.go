package main_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	clusterEvents = 4
	patronsCount  = 8
	// patronPause between two doings keeps the load at some 40 requests a second, which leaves the machine to the faults.
	patronPause = 700 * time.Millisecond
	// askedMax bounds a call with all its repetitions: a node that hangs keeps it for answerMax.
	askedMax = time.Minute
	// brokenPause is what a client waits whose connection was refused.
	brokenPause = 50 * time.Millisecond
)

// trade is a closed loop of buyers over all nodes of a cell. Each keeps to a node until that gives no answer, or says that
// it is not ready, and asks again, under the same key, what was not answered definitely. What is acknowledged is noted, to
// be judged at the end. It knows of each answer what it must be: who wants seats that are sold, or that another order of
// the same buyer holds, must be refused, and must not be refused once that order is cancelled.
type trade struct {
	c      *cell
	events []string
	// pause of a buyer between two visits.
	pause time.Duration
	stop  chan struct{}
	wg    sync.WaitGroup
	// seats asked for by event: each wanting takes new ones.
	seats [clusterEvents]atomic.Int64

	mu        sync.Mutex
	said      []uttered
	completed []purchase
	held      []purchase // not to be confirmed by anybody
	faults    []error
	tally     tally
}

// uttered is an acknowledged answer, and how to ask for it again from some node.
type uttered struct {
	answer
	again func(*server) answer
	// sale: it says that the order is COMPLETED.
	sale bool
}

// purchase is an order as it was acknowledged last.
type purchase struct {
	buyer
	order
}

// tally of what buyers have seen.
type tally struct {
	// asked are calls, refused those that were answered 503 (or request-in-flight) at least once, again those that were so
	// more than once; absent those that found nobody to connect to at least once, broken those whose answer was lost.
	asked, refused, again, absent, broken int
	// longest time from a call to its definite answer.
	longest time.Duration
}

func (l tally) String() string {
	return fmt.Sprintf("%d calls, %d answered 503, %d more than once, %d found nobody, %d lost an answer; the longest took %v",
		l.asked, l.refused, l.again, l.absent, l.broken, l.longest.Round(time.Millisecond))
}

// clusterHall are a hall's rows and seats in each.
const clusterHallRows, clusterHallSeats = 50, 100

// startTrade on events of its own, E1 to E4.
func startTrade(c *cell, pause time.Duration) *trade {
	c.t.Helper()
	l := &trade{c: c, pause: pause, stop: make(chan struct{})}
	for e := range clusterEvents {
		event := fmt.Sprintf("E%d", e+1)
		c.nodes[e%len(c.nodes)].create(event, hall(clusterHallRows, clusterHallSeats), map[string]any{"maxOrdersPerSession": 100})
		l.events = append(l.events, event)
	}
	for i := range patronsCount {
		p := &patron{trade: l, at: c.nodes[i%len(c.nodes)], event: i % clusterEvents}
		l.wg.Go(p.come)
	}
	return l
}

// sales until now.
func (l *trade) sales() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.completed)
}

// goesOn waits until so many more were sold.
func (l *trade) goesOn(n int) {
	l.c.t.Helper()
	from := l.sales()
	until(l.c.t, patience, func() error {
		if sold := l.sales(); sold < from+n {
			return fmt.Errorf("only %d more sold", sold-from)
		}
		return nil
	})
}

// take n seats next to each other that nobody has asked for.
func (l *trade) take(event, n int) []string {
	first := int(l.seats[event].Add(int64(n))) - n
	var seats []string
	for i := first; i < first+n; i++ {
		seats = append(seats, seatID(i/clusterHallSeats%clusterHallRows+1, i%clusterHallSeats+1))
	}
	return seats
}

// patron is a buyer, time and again.
type patron struct {
	*trade
	at    *node
	event int // of the trade's
	buyer buyer
}

// come time and again until the trade stops.
func (p *patron) come() {
	for n := 0; ; n++ {
		if err := p.visit(n); err != nil {
			p.mu.Lock()
			p.faults = append(p.faults, err)
			p.mu.Unlock()
		}
		if !after(p.stop, p.pause) {
			return
		}
	}
}

// visit an event with a session of its own: buy, and every other time do something besides.
func (p *patron) visit(n int) error {
	p.event = (p.event + 1) % clusterEvents
	if err := p.join(); err != nil {
		return err
	}
	switch n % 4 {
	case 1:
		return errors.Join(p.buy(1), p.wantSold())
	case 2:
		return errors.Join(p.buy(2), p.contest())
	case 3:
		return errors.Join(p.buy(1), p.hold())
	}
	return p.buy(2)
}

func (p *patron) join() error {
	event, key := p.events[p.event], rand.Text()
	a, err := p.ask(201, "", func(s *server) answer {
		b, _ := s.enter(event, key)
		return b.joined
	})
	if err != nil {
		return err
	}
	v := a.session()
	if v.AccessToken == "" {
		return fmt.Errorf("joined without a token: %s", a.body)
	}
	p.buyer = buyer{event: event, sessionID: v.SessionID, token: v.AccessToken}
	return v.sound()
}

// order of the session, a new one.
func (p *patron) order() (id string, err error) {
	key, b := rand.Text(), p.buyer
	a, err := p.ask(201, "", func(s *server) answer { return b.on(s).create(key) })
	if err != nil {
		return "", err
	}
	return a.order().OrderID, nil
}

// on some node.
func (b buyer) on(s *server) buyer {
	b.s = s
	return b
}

// do something with an order.
func (p *patron) do(id, verb, body string, status int, code ...string) (answer, error) {
	key, b := rand.Text(), p.buyer
	wanted := ""
	if len(code) > 0 {
		wanted = code[0]
	}
	return p.ask(status, wanted, func(s *server) answer { return b.on(s).call(id, verb, key, body) })
}

func (p *patron) buy(n int) error {
	id, err := p.order()
	if err != nil {
		return err
	}
	seats := p.take(p.event, n)
	body := pay(named(seats...), "tok_visa")
	if n > 1 {
		if _, err := p.do(id, "reserve", `{`+named(seats...)+`}`, 200); err != nil {
			return err
		}
		body = pay("", "tok_visa") // for what is held
	}
	if _, err := p.do(id, "confirm", body, 202); err != nil {
		return err
	}
	a, err := p.do(id, "finalize", "", 200)
	if err != nil {
		return err
	}
	o := a.order()
	if o.Status != "COMPLETED" || len(o.Tickets) != n || len(o.Seats) != n {
		return fmt.Errorf("finalize of %v answers %s", seats, a.body)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.completed = append(p.completed, purchase{p.buyer, o})
	return nil
}

// wantSold wants what somebody else has: nobody may get it.
func (p *patron) wantSold() error {
	var sold string
	p.mu.Lock()
	for _, b := range slices.Backward(p.completed) {
		if b.event == p.events[p.event] {
			sold = b.Seats[0].SeatID
			break
		}
	}
	p.mu.Unlock()
	if sold == "" {
		return nil
	}
	id, err := p.order()
	if err != nil {
		return err
	}
	if _, err = p.do(id, "reserve", `{`+named(sold)+`}`, 409, "seats-unavailable"); err != nil {
		return err
	}
	_, err = p.do(id, "cancel", "", 200)
	return err
}

// contest lets two orders want the same seat: one that answers from a past that is over tells the second one wrong.
func (p *patron) contest() error {
	first, err := p.order()
	if err != nil {
		return err
	}
	second, err := p.order()
	if err != nil {
		return err
	}
	want := `{` + named(p.take(p.event, 1)...) + `}`
	for _, step := range []struct {
		id, verb, body string
		status         int
		code           string
	}{
		{first, "reserve", want, 200, ""},
		{second, "reserve", want, 409, "seats-unavailable"},
		{first, "cancel", "", 200, ""},
		{second, "reserve", want, 200, ""},
		{second, "cancel", "", 200, ""},
	} {
		if _, err := p.do(step.id, step.verb, step.body, step.status, step.code); err != nil {
			return fmt.Errorf("two orders for one seat: %w", err)
		}
	}
	return nil
}

// hold seats that are looked at when all is over.
func (p *patron) hold() error {
	id, err := p.order()
	if err != nil {
		return err
	}
	a, err := p.do(id, "reserve", `{`+named(p.take(p.event, 1)...)+`}`, 200)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = append(p.held, purchase{p.buyer, a.order()})
	return nil
}

// ask until the answer is definite: another node where this one gives none or is not ready, and the same one after the time
// that a 503 names. The answer must be the wanted one.
func (p *patron) ask(status int, code string, call func(*server) answer) (a answer, err error) {
	begun := time.Now()
	refused, absent, broken := 0, 0, 0
	for {
		if !p.at.up.Load() {
			p.move()
		}
		a = call(p.at.server)
		pending := a.definite()
		var bad *badAnswerError
		if pending == nil || errors.As(pending, &bad) {
			break
		}
		pause := brokenPause
		switch {
		case errors.Is(a.err, syscall.ECONNREFUSED):
			absent++
			p.move()
		case a.err != nil:
			broken++
			p.move()
		default:
			refused++
			seconds, _ := strconv.Atoi(a.header.Get("Retry-After"))
			pause = time.Duration(seconds) * time.Second
		}
		if time.Since(begun) > askedMax {
			return a, fmt.Errorf("for %v no definite answer, %d refused, %d lost: %w", time.Since(begun).Round(time.Second), refused, broken, pending)
		}
		after(nil, pause)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tally.asked++
	p.tally.longest = max(p.tally.longest, time.Since(begun))
	if refused > 0 {
		p.tally.refused++
	}
	if refused > 1 {
		p.tally.again++
	}
	if absent > 0 {
		p.tally.absent++
	}
	if broken > 0 {
		p.tally.broken++
	}
	if code != "" {
		return a, a.is(status, code)
	}
	if err := a.is(status); err != nil {
		return a, err
	}
	p.said = append(p.said, uttered{a, call, status == 200 && a.order().Status == "COMPLETED"})
	return a, nil
}

// move to another node, one that is up if there is one.
func (p *patron) move() {
	at := slices.Index(p.c.nodes, p.at)
	for i := range p.c.nodes {
		if n := p.c.nodes[(at+1+i)%len(p.c.nodes)]; n.up.Load() {
			p.at = n
			return
		}
	}
	p.at = p.c.nodes[(at+1)%len(p.c.nodes)]
}
