package seatmap

import "encoding/hex"

// Time is in milliseconds since the Unix epoch. 0 means none.
type Time int64

// OrderID is random, and comes in with the command that makes the order.
type OrderID [16]byte

// SessionID is a buyer's session; random.
type SessionID [16]byte

// TicketID is random, and comes in with CaptureSucceeded.
type TicketID [16]byte

// short names an id where it may be logged: enough to find it by, not enough to use it.
func short[ID ~[16]byte](id ID) string { return hex.EncodeToString(id[:4]) + "…" }

// Key makes a request idempotent: Scope hashes who asked for what under which key, Body hashes the request's body.
type Key struct {
	Scope [16]byte
	Body  [16]byte
}

// Want says which seats: by id, or Quantity next to each other.
type Want struct {
	Seats    []string
	Quantity int
	Category string // empty: any
	Section  string // empty: any
}

// Empty says that nothing is asked for.
func (w Want) Empty() bool { return len(w.Seats) == 0 && w.Quantity == 0 }

// Command is what may be asked of a Map.
//
//sumtype:decl
type Command interface{ command() }

// The buyer's commands.
type (
	// CreateOrder opens an order that lives until the token expires.
	CreateOrder struct {
		Key          Key
		Session      SessionID
		Order        OrderID
		TokenExpires Time
	}
	// Reserve holds seats, or swaps the held ones for others, all or nothing.
	Reserve struct {
		Key     Key
		Session SessionID
		Order   OrderID
		Want    Want
	}
	// Confirm holds the seats wanted, if any, and begins the payment's authorization.
	Confirm struct {
		Key          Key
		Session      SessionID
		Order        OrderID
		Want         Want
		PaymentToken string
	}
	// Finalize begins the capture. From here on no time-out takes the seats.
	Finalize struct {
		Key     Key
		Session SessionID
		Order   OrderID
	}
	// Cancel gives up the order: releases seats, voids what is authorized.
	Cancel struct {
		Key     Key
		Session SessionID
		Order   OrderID
	}
	// EndSession cancels the session's PENDING and RESERVED orders and refuses it new ones.
	EndSession struct {
		Session      SessionID
		TokenExpires Time
	}
)

// The organiser's commands.
type (
	// Block takes AVAILABLE seats off sale, all or none.
	Block struct{ Seats []string }
	// Unblock puts BLOCKED seats back on sale, all or none.
	Unblock struct{ Seats []string }
	// Configure replaces the settings.
	Configure struct{ Settings Settings }
)

// What the provider answered. Attempt is the authorization meant; a repeated or outdated answer is PaymentNoted.
type (
	// AuthorizeSucceeded brings the provider's reference of the authorization.
	AuthorizeSucceeded struct {
		Order     OrderID
		Attempt   uint32
		Reference string
	}
	// AuthorizeRefused brings the provider's decline code.
	AuthorizeRefused struct {
		Order   OrderID
		Attempt uint32
		Code    string
	}
	// CaptureSucceeded brings the tickets' ids, one a seat in the order's sequence of seats.
	CaptureSucceeded struct {
		Order   OrderID
		Attempt uint32
		Tickets []TicketID
	}
	// CaptureRefused says that the capture failed for good.
	CaptureRefused struct {
		Order   OrderID
		Attempt uint32
		Code    string
	}
	// VoidSucceeded says that the authorization is gone.
	VoidSucceeded struct {
		Order   OrderID
		Attempt uint32
	}
)

// Tick does what is due: expires holds and orders, forgets old answers and old ended orders. At most tickFactsMax a call.
type Tick struct{}

func (CreateOrder) command()        {}
func (Reserve) command()            {}
func (Confirm) command()            {}
func (Finalize) command()           {}
func (Cancel) command()             {}
func (EndSession) command()         {}
func (Block) command()              {}
func (Unblock) command()            {}
func (Configure) command()          {}
func (AuthorizeSucceeded) command() {}
func (AuthorizeRefused) command()   {}
func (CaptureSucceeded) command()   {}
func (CaptureRefused) command()     {}
func (VoidSucceeded) command()      {}
func (Tick) command()               {}
