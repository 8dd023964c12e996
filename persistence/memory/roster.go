package memory

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"boxoffice/messages"
)

// goneKeptMillis is for how long a member that was taken out is told why.
const goneKeptMillis = 3_600_000

// Roster is who is a member of the cluster, in the time of its DB; all members share one.
type Roster struct {
	db *DB

	mu      sync.Mutex
	view    uint64
	members []*member // by Joined, those that have gone too
}

type member struct {
	messages.Member // without Expired

	leaseUntil int64
	gone       *gone
}

type gone struct {
	at      int64
	by, why string
}

// NewRoster is an empty one, for nodes that own the events of db.
func NewRoster(db *DB) *Roster { return &Roster{db: db} }

// Join makes m a member whose lease is good for the time given. Whoever had its address goes.
func (r *Roster) Join(ctx context.Context, m messages.Member, lease time.Duration) (messages.Membership, error) {
	return r.do(ctx, "join the cluster as "+m.ID, func(now int64) error {
		if known := r.find(m.ID); known != nil {
			if known.gone != nil {
				return notMember(m.ID, known)
			}
			known.leaseUntil = now + lease.Milliseconds()
			return nil
		}
		if m.ID == "" || m.Address == "" {
			return fmt.Errorf("join the cluster as %q at %q: neither may be empty", m.ID, m.Address)
		}
		r.members = slices.DeleteFunc(r.members, func(old *member) bool {
			return old.gone != nil && old.gone.at < now-goneKeptMillis
		})
		for _, old := range r.members {
			if old.gone == nil && old.Address == m.Address {
				old.gone = &gone{now, m.Name, "a new process listens on " + m.Address + ": " + m.ID}
			}
		}
		r.view++
		fresh := &member{
			Member: messages.Member{
				ID: m.ID, Name: m.Name, Address: m.Address, Version: m.Version, Keys: slices.Clone(m.Keys), Joined: r.view,
			},
			leaseUntil: now + lease.Milliseconds(),
		}
		r.members = append(r.members, fresh)
		return nil
	})
}

// Renew the member's lease from now on, and note whom it cannot reach. *messages.NotMemberError where it is no member.
func (r *Roster) Renew(ctx context.Context, id string, lease time.Duration, unreachable []string) (messages.Membership, error) {
	return r.do(ctx, "renew the lease of "+id, func(now int64) error {
		m, err := r.live(id)
		if err != nil {
			return err
		}
		m.Renewals++
		m.leaseUntil, m.Unreachable = now+lease.Milliseconds(), slices.Clone(unreachable)
		return nil
	})
}

// Members of now.
func (r *Roster) Members(ctx context.Context) (messages.Membership, error) {
	return r.do(ctx, "look who is in the cluster", func(int64) error { return nil })
}

// Leaving notes that the member owns nothing new from now on. *messages.NotMemberError where it is no member.
func (r *Roster) Leaving(ctx context.Context, id string) (messages.Membership, error) {
	return r.do(ctx, "note that "+id+" is leaving", func(int64) error {
		m, err := r.live(id)
		if err != nil {
			return err
		}
		if !m.Leaving {
			m.Leaving = true
			r.view++
		}
		return nil
	})
}

// Leave takes the member out, if it is one.
func (r *Roster) Leave(ctx context.Context, id string) error {
	_, err := r.do(ctx, "take "+id+" out", func(now int64) error {
		if m := r.find(id); m != nil && m.gone == nil {
			m.gone = &gone{now, m.Name, "it left"}
			r.view++
		}
		return nil
	})
	return err
}

// Evict takes the others out, all or none: messages.ErrViewChanged where view is not the current one,
// *messages.NotMemberError where by has been taken out itself.
func (r *Roster) Evict(ctx context.Context, by messages.Member, view uint64, ids []string, why string) (messages.Membership, error) {
	return r.do(ctx, fmt.Sprintf("take %q out", ids), func(now int64) error {
		if m := r.find(by.ID); m != nil && m.gone != nil {
			return notMember(by.ID, m)
		}
		if r.view != view {
			return messages.ErrViewChanged
		}
		changed := false
		for _, id := range ids {
			if m := r.find(id); m != nil && m.gone == nil {
				m.gone = &gone{now, by.Name, why}
				changed = true
			}
		}
		if changed {
			r.view++
		}
		return nil
	})
}

// Owner is the id of the node that claimed the event last, "" where nobody has.
func (r *Roster) Owner(ctx context.Context, eventID string) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("look who owns event %q: %w", eventID, err)
	}
	r.db.mu.Lock()
	defer r.db.mu.Unlock()
	if e := r.db.events[eventID]; e != nil {
		return e.node, nil
	}
	return "", nil
}

// do runs f under the lock, and says who is there after it.
func (r *Roster) do(ctx context.Context, op string, f func(now int64) error) (messages.Membership, error) {
	if err := ctx.Err(); err != nil {
		return messages.Membership{}, fmt.Errorf("%s: %w", op, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.db.now()
	if err := f(now); err != nil {
		return messages.Membership{}, err
	}
	s := messages.Membership{View: r.view}
	for _, m := range r.members {
		if m.gone == nil {
			shown := m.Member
			shown.Keys, shown.Unreachable = slices.Clone(m.Keys), slices.Clone(m.Unreachable)
			shown.Expired = m.leaseUntil <= now
			s.Members = append(s.Members, shown)
		}
	}
	return s, nil
}

// find needs the lock, as does live.
func (r *Roster) find(id string) *member {
	i := slices.IndexFunc(r.members, func(m *member) bool { return m.ID == id })
	if i < 0 {
		return nil
	}
	return r.members[i]
}

func (r *Roster) live(id string) (*member, error) {
	m := r.find(id)
	if m == nil || m.gone != nil {
		return nil, notMember(id, m)
	}
	return m, nil
}

// notMember names who took m out; m may be nil.
func notMember(id string, m *member) error {
	e := &messages.NotMemberError{ID: id}
	if m != nil && m.gone != nil {
		e.By, e.Why = m.gone.by, m.gone.why
	}
	return e
}
