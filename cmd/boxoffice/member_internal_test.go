package main

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"boxoffice/messages"
)

// Goal: others learn which keys a node has, those for tickets apart, and nothing of what they are. Method: settings in which
// the same key is used for both, and one that is not.
func TestMembersKeys(t *testing.T) {
	secret := func(c byte) string { return hex.EncodeToString([]byte(strings.Repeat(string(c), 32))) }
	member := func(ticketKeys string) messages.Member {
		c, err := loadConfig(func(name string) string {
			return map[string]string{
				"DATABASE_URL": "postgres://x", "BOXOFFICE_ADMIN_TOKEN": "x", "BOXOFFICE_NODE_NAME": "n",
				"BOXOFFICE_TOKEN_KEYS": "a:" + secret('a') + ",b:" + secret('b'), "BOXOFFICE_TICKET_KEYS": ticketKeys,
			}[name]
		})
		if err != nil {
			t.Fatal(err)
		}
		return newMember(c)
	}
	one, other := member(""), member("c:"+secret('c'))
	if one.ID == other.ID || !strings.HasPrefix(one.ID, "n.") {
		t.Errorf("ids %s and %s", one.ID, other.ID)
	}
	if len(one.Keys) != 4 || len(other.Keys) != 3 || !slices.Equal(one.Keys[:2], other.Keys[:2]) {
		t.Fatalf("keys %v and %v", one.Keys, other.Keys)
	}
	for i, k := range one.Keys[2:] {
		if k != messages.TicketKeyMark+one.Keys[i] {
			t.Errorf("ticket key %s is not token key %s", k, one.Keys[i])
		}
	}
	if k := other.Keys[2]; !strings.HasPrefix(k, messages.TicketKeyMark+"c:") {
		t.Errorf("ticket key %s", k)
	}
	if all := strings.Join(append(one.Keys, other.Keys...), " "); strings.Contains(all, secret('a')[:8]) {
		t.Errorf("they tell the secret: %s", all)
	}
}
