package persistence

import (
	"sync"
	"testing"

	"boxoffice/actors"
	"boxoffice/actors/admission"
	"boxoffice/cluster"
	"boxoffice/http"
	"boxoffice/migrations"
	"boxoffice/persistence/memory"
)

// What the consumers ask for.
var (
	_ actors.Journal   = (*Journal)(nil)
	_ actors.ReadModel = (*ReadModel)(nil)
	_ actors.Catalogue = (*Catalogue)(nil)
	_ http.Catalogue   = (*Catalogue)(nil)
	_ http.Sessions    = (*Sessions)(nil)
	_ http.Records     = (*Records)(nil)
	_ http.Halls       = (*Halls)(nil)
	_ admission.Rooms  = (*Admissions)(nil)
	_ cluster.Roster   = (*Roster)(nil)
	_ actors.Journal   = (*memory.Journal)(nil)
	_ actors.ReadModel = (*memory.ReadModel)(nil)
	_ actors.Catalogue = (*memory.Catalogue)(nil)
	_ cluster.Roster   = (*memory.Roster)(nil)
)

// Goal: servers that start at once do not trip over each other's migrations, and a database that is up to date stays
// as it is. Method: an emptied database, migrated by several at once.
func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	db, url := open(t)
	execute(t, outsider(t, url), "drop schema public cascade")
	execute(t, outsider(t, url), "create schema public")
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := migrations.Up(t.Context(), url); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	create(t, db, "E1", 10)
}
