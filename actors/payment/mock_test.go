package payment_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"boxoffice/actors/payment"
	"boxoffice/actors/payment/paymenttest"
	"boxoffice/messages"
)

// Goal: the mock provider is honest about what it did, whatever becomes of callers, replies and itself.
// Method: Mocks over one ledger in memory; time passes only as the test lets it.

var order = [16]byte{1, 2, 3}

func authorize(token string) payment.AuthorizeRequest {
	return payment.AuthorizeRequest{
		Key: payment.AuthorizeKey("E1", order, 1), Event: "E1", Token: token, Currency: "EUR", Amount: 9900,
	}
}

func capture(reference string) payment.CaptureRequest {
	return payment.CaptureRequest{
		Key: payment.CaptureKey("E1", order), Authorize: payment.AuthorizeKey("E1", order, 1),
		Reference: reference, Currency: "EUR", Amount: 9900,
	}
}

func void() payment.VoidRequest {
	return payment.VoidRequest{Key: payment.VoidKey("E1", order, 1), Authorize: payment.AuthorizeKey("E1", order, 1)}
}

// waits lets all time pass at once and remembers how much.
type waits struct {
	mu   sync.Mutex
	list []time.Duration
}

func (w *waits) wait(_ context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, d)
	return nil
}

func (w *waits) take() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.list
	w.list = nil
	return list
}

func newMock(l payment.Ledger) (*payment.Mock, *waits) {
	w := &waits{}
	return payment.NewMock(l, payment.MockConfig{Wait: w.wait}), w
}

func wantDeclined(t *testing.T, err error, code string) {
	t.Helper()
	var declined *payment.DeclinedError
	if !errors.As(err, &declined) || declined.Code != code || errors.Is(err, payment.ErrUnknown) {
		t.Fatalf("got %v, want declined with %s", err, code)
	}
}

func TestPurchaseAndRefund(t *testing.T) {
	ctx := t.Context()
	ledger := paymenttest.NewLedger()
	mock, _ := newMock(ledger)
	reference, err := mock.Authorize(ctx, authorize(payment.TokenVisa))
	if err != nil || reference == "" {
		t.Fatalf("authorize: %q, %v", reference, err)
	}
	if err := mock.Capture(ctx, capture(reference)); err != nil {
		t.Fatalf("capture: %v", err)
	}
	refund := payment.RefundRequest{
		Key: payment.RefundKey("E1", order), Authorize: payment.AuthorizeKey("E1", order, 1),
		Reference: reference, Currency: "EUR", Amount: 9900,
	}
	for range 2 { // once per key
		if err := mock.Refund(ctx, refund); err != nil {
			t.Fatalf("refund: %v", err)
		}
	}
	wantDeclined(t, mock.Void(ctx, void()), payment.CodeCaptured)
	var kinds []string
	for _, row := range ledger.Rows() {
		kinds = append(kinds, row.Kind+" "+row.Declined)
		if row.Event != "E1" || row.Token != payment.TokenVisa {
			t.Errorf("%s is booked under event %q, token %q", row.Kind, row.Event, row.Token)
		}
	}
	if got := strings.Join(kinds, ", "); got != "authorize , capture , refund , void captured" {
		t.Errorf("the ledger has %s", got)
	}
}

func TestFiftyAtOnceAreOne(t *testing.T) {
	ledger := paymenttest.NewLedger()
	var wg sync.WaitGroup
	references := make([]string, 50)
	for i := range references {
		mock, _ := newMock(ledger)
		wg.Go(func() {
			var err error
			if references[i], err = mock.Authorize(context.Background(), authorize(payment.TokenVisa)); err != nil {
				t.Errorf("authorize: %v", err)
			}
		})
	}
	wg.Wait()
	for _, r := range references {
		if r == "" || r != references[0] {
			t.Errorf("references %q and %q", references[0], r)
		}
	}
	if n := len(ledger.Rows()); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestLostReplyIsLostOnce(t *testing.T) {
	ctx := t.Context()
	ledger := paymenttest.NewLedger()
	mock, w := newMock(ledger)

	if _, err := mock.Authorize(ctx, authorize(payment.TokenAuthTimeout)); !errors.Is(err, payment.ErrUnknown) {
		t.Fatalf("authorize: %v, want ErrUnknown", err)
	}
	if got := w.take(); len(got) != 1 || got[0] != time.Second {
		t.Errorf("waited %v, want 1s", got)
	}
	found, err := mock.LookUp(ctx, payment.AuthorizeKey("E1", order, 1))
	if err != nil || found.Declined != "" || found.Reference == "" {
		t.Fatalf("look-up: %+v, %v", found, err)
	}
	// The repetition is heard by another process as well.
	mock, w = newMock(ledger)
	reference, err := mock.Authorize(ctx, authorize(payment.TokenAuthTimeout))
	if err != nil || reference != found.Reference {
		t.Fatalf("authorize again: %q, %v; want %q", reference, err, found.Reference)
	}
	if err := mock.Capture(ctx, capture(reference)); err != nil {
		t.Fatalf("capture: %v", err)
	}
	if got := w.take(); len(got) != 0 || len(ledger.Rows()) != 2 {
		t.Errorf("waited %v, %d rows", got, len(ledger.Rows()))
	}
}

func TestLostCaptureReply(t *testing.T) {
	ctx := t.Context()
	ledger := paymenttest.NewLedger()
	mock, w := newMock(ledger)
	reference, err := mock.Authorize(ctx, authorize(payment.TokenCaptureTimeout))
	if err != nil {
		t.Fatalf("authorize: %v", err)
	}
	if err := mock.Capture(ctx, capture(reference)); !errors.Is(err, payment.ErrUnknown) {
		t.Fatalf("capture: %v, want ErrUnknown", err)
	}
	if err := mock.Capture(ctx, capture(reference)); err != nil {
		t.Fatalf("capture again: %v", err)
	}
	if got := w.take(); len(got) != 1 || len(ledger.Rows()) != 2 {
		t.Errorf("waited %v, %d rows", got, len(ledger.Rows()))
	}
}

func TestCaptureDeclinedForGood(t *testing.T) {
	ctx := t.Context()
	mock, _ := newMock(paymenttest.NewLedger())
	reference, err := mock.Authorize(ctx, authorize(payment.TokenCaptureDeclined))
	if err != nil {
		t.Fatalf("authorize: %v", err)
	}
	for range 2 {
		wantDeclined(t, mock.Capture(ctx, capture(reference)), payment.CodeCardDeclined)
	}
	if found, err := mock.LookUp(ctx, payment.CaptureKey("E1", order)); err != nil || found.Declined != payment.CodeCardDeclined {
		t.Errorf("look-up: %+v, %v", found, err)
	}
	if err := mock.Void(ctx, void()); err != nil {
		t.Errorf("void: %v", err)
	}
}

func TestTombstoneRefusesALateAuthorize(t *testing.T) {
	ctx := t.Context()
	ledger := paymenttest.NewLedger()
	mock, _ := newMock(ledger)
	for range 2 {
		if err := mock.Void(ctx, void()); err != nil {
			t.Fatalf("void: %v", err)
		}
	}
	if _, err := mock.LookUp(ctx, payment.AuthorizeKey("E1", order, 1)); !errors.Is(err, payment.ErrNotFound) {
		t.Fatalf("look-up: %v", err)
	}
	for range 2 {
		_, err := mock.Authorize(ctx, authorize(payment.TokenAuthTimeout))
		wantDeclined(t, err, payment.CodeVoided)
	}
	if rows := ledger.Rows(); len(rows) != 2 || rows[0].Event != "E1" {
		t.Errorf("the ledger has %+v", rows)
	}
}

func TestKeyWithOtherContentIsABug(t *testing.T) {
	ctx := t.Context()
	mock, _ := newMock(paymenttest.NewLedger())
	reference, err := mock.Authorize(ctx, authorize(payment.TokenVisa))
	if err != nil {
		t.Fatalf("authorize: %v", err)
	}
	other := authorize(payment.TokenVisa)
	other.Amount++
	_, sameAuthorization := mock.Authorize(ctx, other)

	// The key of a capture, for another authorization: that history does not know it.
	if err := mock.Capture(ctx, capture(reference)); err != nil {
		t.Fatalf("capture: %v", err)
	}
	second := authorize(payment.TokenVisa)
	second.Key = payment.AuthorizeKey("E1", order, 2)
	reference, err = mock.Authorize(ctx, second)
	if err != nil {
		t.Fatalf("second authorize: %v", err)
	}
	again := capture(reference)
	again.Authorize = second.Key
	otherAuthorization := mock.Capture(ctx, again)

	for _, err := range []error{sameAuthorization, otherAuthorization} {
		var reused *payment.KeyReusedError
		var declined *payment.DeclinedError
		if !errors.As(err, &reused) || errors.As(err, &declined) || errors.Is(err, payment.ErrUnknown) {
			t.Errorf("got %v, want KeyReusedError", err)
		} else if strings.Contains(err.Error(), reused.Key) {
			t.Errorf("the key shows in %q", err)
		}
	}
}

func TestMalformedRequestNeverReachesTheLedger(t *testing.T) {
	ctx := t.Context()
	ledger := paymenttest.NewLedger()
	mock, _ := newMock(ledger)
	negative, nameless := authorize(payment.TokenVisa), authorize(payment.TokenVisa)
	negative.Amount, nameless.Key = -1, ""
	for _, r := range []payment.AuthorizeRequest{negative, nameless} {
		_, err := mock.Authorize(ctx, r)
		wantDeclined(t, err, payment.CodeInvalidRequest)
	}
	if n := len(ledger.Rows()); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

// mute is a ledger whose answers are lost after it has done what it was told.
type mute struct{ payment.Ledger }

var errMute = errors.New("connection reset")

func (m mute) Update(ctx context.Context, a string, decide func([]messages.LedgerRow) []messages.LedgerRow) error {
	if err := m.Ledger.Update(ctx, a, decide); err != nil {
		return err
	}
	return errMute
}

func TestLostLedgerReplyIsUnknown(t *testing.T) {
	ctx := t.Context()
	ledger := paymenttest.NewLedger()
	mock, _ := newMock(mute{ledger})
	if _, err := mock.Authorize(ctx, authorize(payment.TokenVisa)); !errors.Is(err, payment.ErrUnknown) || !errors.Is(err, errMute) {
		t.Fatalf("authorize: %v, want ErrUnknown and its cause", err)
	}
	mock, _ = newMock(ledger)
	if reference, err := mock.Authorize(ctx, authorize(payment.TokenVisa)); err != nil || reference == "" {
		t.Fatalf("authorize again: %q, %v", reference, err)
	}
	if n := len(ledger.Rows()); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestWaits(t *testing.T) {
	ledger := paymenttest.NewLedger()
	w := &waits{}
	mock := payment.NewMock(ledger, payment.MockConfig{Delay: 20 * time.Millisecond, Wait: w.wait})
	for _, want := range [][]time.Duration{{20 * time.Millisecond, 3 * time.Second}, {20 * time.Millisecond}} {
		if _, err := mock.Authorize(t.Context(), authorize(payment.TokenSlow)); err != nil {
			t.Fatalf("authorize: %v", err)
		}
		got := w.take()
		if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("waited %v, want %v", got, want)
		}
	}

	// A caller that gives up during the delay has done nothing; one that gives up on a lost reply has.
	givesUp := func(context.Context, time.Duration) error { return context.Canceled }
	for rows, delay := range []time.Duration{time.Hour, 0} {
		ledger := paymenttest.NewLedger()
		mock := payment.NewMock(ledger, payment.MockConfig{Delay: delay, Wait: givesUp})
		if _, err := mock.Authorize(t.Context(), authorize(payment.TokenAuthTimeout)); !errors.Is(err, payment.ErrUnknown) || !errors.Is(err, context.Canceled) {
			t.Errorf("authorize: %v, want ErrUnknown and context.Canceled", err)
		}
		if got := len(ledger.Rows()); got != rows {
			t.Errorf("delay %v: %d rows, want %d", delay, got, rows)
		}
	}
}
