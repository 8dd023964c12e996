package packaging

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// connectionsPerNode is what docs/operate reckons with: the pools, one for the server lock of the version before, and the roster's
// two: for the lease, and for who is a member.
const connectionsPerNode = 32

var poolSize = regexp.MustCompile(`(?m)^\s*(commitConnsDefault|queryConnsDefault|claimConnsMax|evictConnsMax)\s*= (\d+)$`)

// Goal: what the documents say about Postgres' connections is what a node opens. Method: the sizes of the pools, read from
// the source.
func TestConnections(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(repository, "persistence/db.go"))
	must(t, err)
	sizes := poolSize.FindAllStringSubmatch(string(source), -1)
	sum := 0
	for _, m := range sizes {
		var n int
		_, err := fmt.Sscan(m[2], &n)
		must(t, err)
		sum += n
	}
	if len(sizes) != 4 || sum+3 != connectionsPerNode {
		t.Errorf("a node opens %d connections in its %d pools and three more, not %d", sum, len(sizes), connectionsPerNode)
	}
	if said := fmt.Sprintf("%d connections", connectionsPerNode); !strings.Contains(string(read(t, operate(repository, "scale.md"))), said) {
		t.Errorf("scale.md does not speak of %s", said)
	}
}
