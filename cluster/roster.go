package cluster

import (
	"context"
	"time"

	"boxoffice/messages"
)

// Roster keeps who is a member of the cluster, where all members find it. Every error but those named leaves open
// whether the call took effect.
type Roster interface {
	// Join makes m a member whose lease is good for the time given, by the database's clock. A member of before that had the
	// same address goes: m listens there now.
	Join(ctx context.Context, m messages.Member, lease time.Duration) (messages.Membership, error)
	// Renew the member's lease from now on, however long it was over, and note whom it cannot reach;
	// *messages.NotMemberError where it is no member any more.
	Renew(ctx context.Context, id string, lease time.Duration, unreachable []string) (messages.Membership, error)
	// Members of now.
	Members(ctx context.Context) (messages.Membership, error)
	// Leaving notes that the member owns nothing new from now on. *messages.NotMemberError as for Renew.
	Leaving(ctx context.Context, id string) (messages.Membership, error)
	// Leave takes the member out. It is no error where it was none any more.
	Leave(ctx context.Context, id string) error
	// Evict takes others out, in the name of a member, or of one that is about to join and has no row yet; why is for
	// operators. messages.ErrViewChanged where the view is not the current one any more, *messages.NotMemberError where by
	// has been taken out itself: nothing is changed then.
	Evict(ctx context.Context, by messages.Member, view uint64, ids []string, why string) (messages.Membership, error)
	// Owner is the id of the member that claimed the event last, be it a member still or not; "" where nobody has.
	Owner(ctx context.Context, eventID string) (string, error)
}
