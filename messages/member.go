package messages

import (
	"errors"
	"fmt"
)

// Member is a process that takes part in the cluster, as its row in the database says.
type Member struct {
	// ID is of this process alone, and never used again.
	ID string
	// Name is for operators: the host or pod.
	Name string
	// Address is where other members reach it, host:port.
	Address string
	// Version of the build.
	Version string
	// Keys are digests of the token keys that it knows, and of the ticket keys, after TicketKeyMark; the first of each signs.
	Keys []string
	// Joined is the view that it came with: the lower, the older the member.
	Joined uint64
	// Leaving: it owns nothing new, and works on until it has handed over what it owns.
	Leaving bool
	// Renewals of its lease so far: who sees no more of them sees a member that has stopped.
	Renewals uint64
	// Expired: its lease is over, by the database's clock.
	Expired bool
	// Unreachable are the ids of members that it cannot reach.
	Unreachable []string
}

// TicketKeyMark begins the digests of ticket keys.
const TicketKeyMark = "tickets/"

// Membership is who takes part, as of one view: a number that rises whenever somebody joins, begins to leave or goes.
type Membership struct {
	View    uint64
	Members []Member // by Joined
}

// NotMemberError says that a process is no member, or not any more.
type NotMemberError struct {
	ID string
	// By is the name of the member that took it out, and Why its reason; both empty where nobody knows.
	By, Why string
}

func (e *NotMemberError) Error() string {
	if e.Why == "" {
		return fmt.Sprintf("%s is no member of the cluster", e.ID)
	}
	return fmt.Sprintf("%s is no member of the cluster any more: taken out by %s: %s", e.ID, e.By, e.Why)
}

// ErrViewChanged says that membership has changed since the view that a decision was made on.
var ErrViewChanged = errors.New("the cluster's membership has changed")
