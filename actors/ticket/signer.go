package ticket

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"

	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// seedInfo sets the ticket keys apart from everything else that is derived from the same secret. A change makes all
// tickets issued before it worthless.
const seedInfo = "boxoffice ticket signing key, ed25519, v1"

// DeriveSeed makes a signing seed from one of the server's token keys (HKDF-SHA-256, no salt, a fixed info), so that
// there is one list of secrets to keep. The secret needs 128 bits of entropy or more; its length is the caller's check.
func DeriveSeed(secret []byte) [32]byte {
	derived, err := hkdf.Key(sha256.New, secret, nil, seedInfo, ed25519.SeedSize)
	if err != nil {
		panic(fmt.Sprintf("ticket: derive seed: %v", err)) // only for lengths that a constant rules out
	}
	return [32]byte(derived)
}

// Key is a signing key. Its seed never shows in a print or a log.
type Key struct {
	// ID names the key in the codes that it signs: 1 to 32 of A–Z, a–z, 0–9, _ and -. An id is never given to another key.
	ID   string
	Seed [32]byte
}

// String keeps the seed out.
func (k Key) String() string { return "ticket key " + k.ID }

// GoString keeps the seed out as well.
func (k Key) GoString() string { return k.String() }

var keyID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// Signer issues tickets. Safe for concurrent use if its source of entropy is.
type Signer struct {
	id      string
	private ed25519.PrivateKey
	public  []PublicKey
	entropy io.Reader
}

// NewSigner returns a Signer that signs with the first key and publishes them all: to rotate, put a new key in front,
// and take an old one away once the last event that it signed for is over. Ticket ids are read from entropy, which must
// be cryptographic: whoever guesses an id knows no code, but a repeated one lets in one buyer of two.
func NewSigner(keys []Key, entropy io.Reader) (*Signer, error) {
	if len(keys) == 0 {
		return nil, errors.New("ticket: no signing key")
	}
	s := &Signer{id: keys[0].ID, private: ed25519.NewKeyFromSeed(keys[0].Seed[:]), entropy: entropy}
	seen := map[string]bool{}
	for _, key := range keys {
		if !keyID.MatchString(key.ID) {
			return nil, fmt.Errorf("ticket: key id %q is not 1 to 32 of A-Z a-z 0-9 _ -", key.ID)
		}
		if seen[key.ID] {
			return nil, fmt.Errorf("ticket: key id %q is given twice", key.ID)
		}
		seen[key.ID] = true
		public, _ := ed25519.NewKeyFromSeed(key.Seed[:]).Public().(ed25519.PublicKey)
		s.public = append(s.public, PublicKey{ID: key.ID, Key: public})
	}
	return s, nil
}

// PublicKeys are those of all keys, in their sequence; read only.
func (s *Signer) PublicKeys() []PublicKey { return s.public }

// Issue makes one ticket a seat, with a fresh id each. seats and seatIDs go together. It panics where the entropy runs
// dry, since then nothing that is secret can be made any more, and on ids that no event or plan can have.
// It takes some 30 µs a ticket, nearly all of it the signature.
func (s *Signer) Issue(eventID string, order seatmap.OrderID, seats []int32, seatIDs []string, at seatmap.Time) []messages.TicketRow {
	if len(seats) != len(seatIDs) {
		panic(fmt.Sprintf("ticket: %d seats, %d seat ids", len(seats), len(seatIDs)))
	}
	rows := make([]messages.TicketRow, len(seats))
	for i := range rows {
		claims := Claims{KeyID: s.id, EventID: eventID, SeatID: seatIDs[i]}
		if _, err := io.ReadFull(s.entropy, claims.TicketID[:]); err != nil {
			panic(fmt.Sprintf("ticket: read entropy: %v", err))
		}
		rows[i] = messages.TicketRow{
			TicketID: claims.TicketID, OrderID: order, SeatIndex: seats[i], SeatID: seatIDs[i], Code: s.sign(claims), IssuedAt: int64(at),
		}
	}
	return rows
}

func (s *Signer) sign(c Claims) string {
	if len(c.EventID) > fieldBytesMax || c.SeatID == "" || len(c.SeatID) > fieldBytesMax {
		panic(fmt.Sprintf("ticket: event id of %d bytes, seat id of %d", len(c.EventID), len(c.SeatID)))
	}
	signed := encoding.EncodeToString(c.payload())
	return signed + "." + encoding.EncodeToString(ed25519.Sign(s.private, []byte(signed)))
}
