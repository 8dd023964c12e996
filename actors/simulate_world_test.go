package actors_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"boxoffice/actors"
	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
	"boxoffice/persistence/memory"
)

const (
	simSeats   = 12
	simBuyers  = 6
	simHoldTTL = seatmap.Time(20_000)
	// simRestMillis without anything to do is rest: only answers are forgotten after that, a day later.
	simRestMillis = seatmap.Time(3_600_000)
	traceMax      = 80
)

// world is everything there is in a run. One goroutine, one virtual clock, one source of chance.
type world struct {
	testing.TB
	seed     uint64
	rng      *rand.Rand
	db       *memory.DB
	ledger   *paymenttest.Ledger
	provider payment.Provider
	elapsed  seatmap.Time // since t0
	epoch    uint64       // that stands
	healed   bool
	depth    int // of things that happen in the middle of others

	owners []*simOwner
	tasks  []task
	sent   []*messages.Request
	orders []simOrder
	trace  []string

	truth        *seatmap.Map      // of what is committed
	letters      map[uint64]string // by version, of what is committed
	watcher      watcher
	inJournal    map[string]bool           // answers
	acknowledged map[string]acknowledgment // by scope
	scopes       []string                  // of acknowledged, in sequence
	ended        []endedOrder
	met          simTotals
}

type (
	// task is something that was begun and has not happened yet.
	task struct {
		name  string
		owner *simOwner
		run   func()
	}
	pending struct {
		request *messages.Request
		reply   *messages.Reply
	}
	acknowledgment struct {
		request *messages.Request
		answer  string
		done    bool // answered for the first time, not replayed
	}
	simOrder   struct{ session, order string }
	endedOrder struct {
		order  [16]byte
		status messages.OrderStatus
	}
)

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{
		TB: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 0)), ledger: paymenttest.NewLedger(),
		letters: map[uint64]string{}, inJournal: map[string]bool{}, acknowledged: map[string]acknowledgment{},
	}
	w.db = memory.New(func() int64 { return int64(t0 + w.elapsed) })
	w.provider = newProvider(w.ledger)
	createEvent(t, w.db.Catalogue(), eventID, simSeats, uint32(simHoldTTL/1000))
	w.learn()
	w.watcher = watcher{rng: rand.New(rand.NewPCG(seed, 1)), version: w.truth.Version(), letters: w.truth.Letters(nil)}
	return w
}

// fail tells the seed, and what came before.
func (w *world) fail(format string, args ...any) {
	w.Helper()
	w.Errorf("seed %d (BOXOFFICE_SIM_SEED=%d): %s\nlast steps:\n%s", w.seed, w.seed, fmt.Sprintf(format, args...), strings.Join(w.trace, "\n"))
}

func (w *world) note(format string, args ...any) {
	if len(w.trace) == traceMax {
		w.trace = w.trace[1:]
	}
	w.trace = append(w.trace, fmt.Sprintf("%8d  ", w.elapsed)+fmt.Sprintf(format, args...))
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

func pick[T any](w *world, of []T) T { return of[w.rng.IntN(len(of))] }

func (w *world) later(name string, o *simOwner, run func()) {
	w.tasks = append(w.tasks, task{name, o, run})
}

// runTask lets one thing happen that was begun.
func (w *world) runTask(i int) {
	t := w.tasks[i]
	w.tasks = append(w.tasks[:i:i], w.tasks[i+1:]...)
	w.note("%s of owner %d", t.name, t.owner.epoch)
	t.run()
}

func (w *world) runTasks() {
	for len(w.tasks) > 0 {
		w.runTask(w.rng.IntN(len(w.tasks)))
	}
}

// learn what has been committed since the last time.
func (w *world) learn() {
	after := uint64(0)
	if w.truth != nil {
		after = w.truth.Seq()
	} else {
		recovery, err := w.db.Journal("truth").Recover(context.Background(), eventID)
		if err != nil {
			w.Fatal(err)
		}
		w.truth = emptyMap(w.TB, recovery)
	}
	written, err := w.db.Written(eventID, after)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range written {
		before, previous := w.truth.Letters(nil), w.truth.Version()
		facts, err := seatmap.DecodeEntry(e.Facts)
		for _, f := range facts {
			w.truth.Apply(e.Seq, f)
		}
		w.checkMoved(e, before, previous)
		w.letters[w.truth.Version()] = string(w.truth.Letters(nil))
		var answers messages.Answers
		if err := errors.Join(err, proto.Unmarshal(e.Answers, &answers)); err != nil {
			w.Fatal(err)
		}
		for _, a := range answers.GetAnswers() {
			w.inJournal[answerKey(a)] = true
		}
	}
}

func answerKey(a *messages.Answer) string {
	return fmt.Sprintf("%d %s %s %x", a.GetStatus(), a.GetLocation(), a.GetContentType(), a.GetBody())
}

// simJournal and simReadModel are the database as seen from one owner: while it reads, other things happen.
type (
	simJournal struct {
		actors.Journal
		w *world
	}
	simReadModel struct {
		actors.ReadModel
		w *world
	}
)

func (j simJournal) Recover(ctx context.Context, id string) (messages.Recovery, error) {
	j.w.meanwhile()
	return j.Journal.Recover(ctx, id)
}

func (j simJournal) Entries(ctx context.Context, id string, after, upTo uint64, yield func(messages.Entry) error) error {
	j.w.meanwhile()
	return j.Journal.Entries(ctx, id, after, upTo, yield)
}

func (m simReadModel) Project(ctx context.Context, p messages.Projection) error {
	m.w.meanwhile()
	return m.ReadModel.Project(ctx, p)
}

func (w *world) meanwhile() {
	if w.healed || w.depth >= 3 || len(w.tasks) == 0 || !w.chance(50) {
		return
	}
	w.depth++
	defer func() { w.depth-- }()
	w.note("meanwhile:")
	w.runTask(w.rng.IntN(len(w.tasks)))
}

// virtual is an owner's clock for its activation.
type virtual struct{ w *world }

func (v virtual) Elapsed() time.Duration { return time.Duration(v.w.elapsed) * time.Millisecond }

// AfterFunc is for watchdogs, and what they watch takes no time here.
func (virtual) AfterFunc(time.Duration, func()) (stop func()) { return func() {} }
