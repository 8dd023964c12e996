package actors

import (
	"context"
	"fmt"
	"strings"

	"boxoffice/actors/failpoint"
	"boxoffice/actors/seatmap"
	"boxoffice/messages"
)

// commit a batch. In a build with failpoints the process can be made to die right before or after it.
func commit(ctx context.Context, journal Journal, b messages.Batch) error {
	if failpoint.Enabled {
		hitFacts("before-commit/", b)
	}
	err := journal.Commit(ctx, b)
	if failpoint.Enabled && err == nil {
		hitFacts("after-commit/", b)
	}
	return err
}

// hitFacts passes a failpoint for each fact of the batch, named for its type.
func hitFacts(prefix string, b messages.Batch) {
	if b.Entry == nil {
		return
	}
	facts, err := seatmap.DecodeEntry(b.Entry.Facts)
	if err != nil {
		panic(err)
	}
	for _, f := range facts {
		failpoint.Hit(prefix + strings.TrimPrefix(fmt.Sprintf("%T", f), "seatmap."))
	}
}
