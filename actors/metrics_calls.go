package actors

import (
	"time"

	"boxoffice/actors/seatmap"
)

// openOperations are the payment operations of one owner that are not known to have ended. What it says of their age
// counts from when this owner asked first: an activation begins anew.
type openOperations [len(kinds)]operationsOfKind

type operationsOfKind struct {
	open map[operationKey]openOperation
	// line is as they came; those that have ended leave it when they are first.
	line    []openOperation
	unknown int
}

type operationKey struct {
	order   seatmap.OrderID
	attempt uint32
}

type openOperation struct {
	key     operationKey
	since   time.Duration
	unknown bool // no call has been heard, and one has ended
}

func (ops *openOperations) of(k seatmap.OperationKind) *operationsOfKind {
	return &ops[k-seatmap.Authorize]
}

// asked notes a call that is about to be made.
func (ops *openOperations) asked(op seatmap.Operation, now time.Duration) {
	k, key := ops.of(op.Kind), operationKey{op.Order, op.Attempt}
	if _, ok := k.open[key]; ok { // it is as unknown as before, until it is heard
		return
	}
	if k.open == nil {
		k.open = map[operationKey]openOperation{}
	}
	o := openOperation{key: key, since: max(now, 1)}
	k.open[key] = o
	k.line = append(k.line, o)
}

// ended notes what became of a call: whether its operation is still open, for the owner.
func (ops *openOperations) ended(op seatmap.Operation, open bool) {
	k := ops.of(op.Kind)
	o, ok := k.open[operationKey{op.Order, op.Attempt}]
	switch {
	case !ok:
	case !open:
		delete(k.open, o.key)
		if o.unknown {
			k.unknown--
		}
	case !o.unknown:
		o.unknown = true
		k.unknown++
		k.open[o.key] = o
	}
}

// oldest open operation's beginning; 0: there is none.
func (k *operationsOfKind) oldest() time.Duration {
	for len(k.line) > 0 {
		first := k.line[0]
		if o, ok := k.open[first.key]; ok && o.since == first.since {
			return first.since
		}
		k.line = k.line[1:]
	}
	k.line = nil
	return 0
}

// showCalls to scrapes.
func (t *meter) showCalls() {
	for i := range t.calls {
		k := &t.calls[i]
		t.open[i].Store(int64(len(k.open)))
		t.unknown[i].Store(int64(k.unknown))
		t.oldest[i].Store(int64(k.oldest()))
	}
}
