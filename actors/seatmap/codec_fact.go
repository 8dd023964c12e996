package seatmap

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// entryVersion leads every journal entry.
const entryVersion = 1

// The tags of facts, for ever: the journal is kept as long as the event.
const (
	tagEventCreated           = 1
	tagSettingsChanged        = 2
	tagSeatsWereBlocked       = 3
	tagSeatsWereUnblocked     = 4
	tagOrderWasCreated        = 5
	tagSeatsWereHeld          = 6
	tagAuthorizeStarted       = 7
	tagAuthorizeWasGranted    = 8
	tagAuthorizeWasDeclined   = 9
	tagCaptureStarted         = 10
	tagOrderWasCompleted      = 11
	tagCaptureWasRefused      = 12
	tagOrderHasExpired        = 13
	tagOrderWasCancelled      = 14
	tagAuthorizationWasVoided = 15
	tagSessionWasEnded        = 16
	tagAnswered               = 17
	tagForgotten              = 18
)

// AppendEntry appends the facts of one journal entry: a version byte, then fact after fact, a tag and its fields, and at
// the end the CRC-32C of all before it, little-endian, since a bit that turns in a stored key or id makes no other rule
// false.
func AppendEntry(buf []byte, facts []Fact) []byte {
	begin := len(buf)
	w := writer{buf: append(buf, entryVersion)}
	for _, f := range facts {
		w.fact(f)
	}
	return seal(w.buf, begin)
}

// seal appends the checksum of what stands from begin on.
func seal(buf []byte, begin int) []byte {
	return binary.LittleEndian.AppendUint32(buf, crc32.Checksum(buf[begin:], castagnoli))
}

// unseal is the inverse of seal for a whole encoding.
func unseal(b []byte) ([]byte, error) {
	end := len(b) - crc32.Size
	if end < 0 {
		return nil, errShort
	}
	if binary.LittleEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], castagnoli) {
		return nil, errChecksum
	}
	return b[:end], nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// DecodeEntry is the inverse of AppendEntry. It refuses whatever AppendEntry would not have written; whether the facts
// fit a state is for Apply to say. The facts do not refer to b.
func DecodeEntry(b []byte) ([]Fact, error) {
	b, err := unseal(b)
	if err != nil {
		return nil, err
	}
	r := reader{buf: b}
	r.version("journal entry", entryVersion)
	var facts []Fact
	for r.err == nil && len(r.buf) > 0 {
		facts = append(facts, r.fact())
	}
	if r.err != nil {
		return nil, fmt.Errorf("decode fact %d: %w", len(facts), r.err)
	}
	return facts, nil
}

func (w *writer) fact(f Fact) {
	switch f := f.(type) {
	case EventCreated:
		w.byte(tagEventCreated).hash(f.PlanHash).settings(&f.Settings)
	case SettingsChanged:
		w.byte(tagSettingsChanged).settings(&f.Settings)
	case SeatsWereBlocked:
		w.byte(tagSeatsWereBlocked).seats(f.Seats)
	case SeatsWereUnblocked:
		w.byte(tagSeatsWereUnblocked).seats(f.Seats)
	case OrderWasCreated:
		w.byte(tagOrderWasCreated).id(f.Order).id(f.Session).time(f.At).time(f.Deadline)
	case SeatsWereHeld:
		w.byte(tagSeatsWereHeld).id(f.Order).seats(f.Seats).time(f.Deadline).int(f.Amount)
	case AuthorizeStarted:
		w.byte(tagAuthorizeStarted).id(f.Order).uint(uint64(f.Attempt)).text(f.Token).key(f.Key)
	case AuthorizeWasGranted:
		w.byte(tagAuthorizeWasGranted).id(f.Order).text(f.Reference)
	case AuthorizeWasDeclined:
		w.byte(tagAuthorizeWasDeclined).id(f.Order).text(f.Code)
	case CaptureStarted:
		w.byte(tagCaptureStarted).id(f.Order).key(f.Key)
	case OrderWasCompleted:
		w.byte(tagOrderWasCompleted).id(f.Order).time(f.At).tickets(f.Tickets)
	case CaptureWasRefused:
		w.byte(tagCaptureWasRefused).id(f.Order).time(f.At).text(f.Code)
	case OrderHasExpired:
		w.byte(tagOrderHasExpired).id(f.Order).time(f.At)
	case OrderWasCancelled:
		w.byte(tagOrderWasCancelled).id(f.Order).time(f.At)
	case AuthorizationWasVoided:
		w.byte(tagAuthorizationWasVoided).id(f.Order)
	case SessionWasEnded:
		w.byte(tagSessionWasEnded).id(f.Session).time(f.Expires)
	case Answered:
		w.byte(tagAnswered).id(f.Session).key(f.Key).time(f.Expires)
	case Forgotten:
		w.byte(tagForgotten).time(f.Before)
	default:
		panic(fmt.Sprintf("seatmap: fact of unknown type %T", f))
	}
}

func (r *reader) fact() Fact {
	switch tag := r.byte(); tag {
	case tagEventCreated:
		return EventCreated{PlanHash: r.hash(), Settings: r.settings()}
	case tagSettingsChanged:
		return SettingsChanged{Settings: r.settings()}
	case tagSeatsWereBlocked:
		return SeatsWereBlocked{Seats: r.seats()}
	case tagSeatsWereUnblocked:
		return SeatsWereUnblocked{Seats: r.seats()}
	case tagOrderWasCreated:
		return OrderWasCreated{Order: r.id(), Session: r.id(), At: r.time(), Deadline: r.time()}
	case tagSeatsWereHeld:
		return SeatsWereHeld{Order: r.id(), Seats: r.seats(), Deadline: r.time(), Amount: r.int()}
	case tagAuthorizeStarted:
		return AuthorizeStarted{Order: r.id(), Attempt: r.uint32(), Token: r.text(), Key: r.key()}
	case tagAuthorizeWasGranted:
		return AuthorizeWasGranted{Order: r.id(), Reference: r.text()}
	case tagAuthorizeWasDeclined:
		return AuthorizeWasDeclined{Order: r.id(), Code: r.text()}
	case tagCaptureStarted:
		return CaptureStarted{Order: r.id(), Key: r.key()}
	case tagOrderWasCompleted:
		return OrderWasCompleted{Order: r.id(), At: r.time(), Tickets: r.tickets()}
	case tagCaptureWasRefused:
		return CaptureWasRefused{Order: r.id(), At: r.time(), Code: r.text()}
	case tagOrderHasExpired:
		return OrderHasExpired{Order: r.id(), At: r.time()}
	case tagOrderWasCancelled:
		return OrderWasCancelled{Order: r.id(), At: r.time()}
	case tagAuthorizationWasVoided:
		return AuthorizationWasVoided{Order: r.id()}
	case tagSessionWasEnded:
		return SessionWasEnded{Session: r.id(), Expires: r.time()}
	case tagAnswered:
		return Answered{Session: r.id(), Key: r.key(), Expires: r.time()}
	case tagForgotten:
		return Forgotten{Before: r.time()}
	default:
		r.fail(fmt.Errorf("seatmap: fact of unknown tag %d", tag))
		return nil
	}
}
