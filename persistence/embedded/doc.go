// Package embedded starts a private Postgres and a private Redis for cmd/dev and for tests, from the
// server programs that the machine has. It is never part of the production binary (arch_test.go).
//
// Guarantees:
//
//  1. Private: the servers listen on a Unix socket only, in a folder that only their user can enter.
//  2. No orphans: when the process that started a server dies, also by kill -9, the server and all of
//     its children end too (see StartChild), even while they are frozen by Freeze.
//  3. No stuck folder: whatever was cut short (initdb, a server, a shutdown), the next start on the same
//     folder recovers. A data folder exists whole or not at all: initdb works on data.new, which is then
//     renamed.
//  4. One at a time: a folder in use is refused with an InUseError. A second lock is inherited by every
//     process of a server, so that the next server starts only once the last of them is gone.
//  5. As root, the servers run as an unprivileged user, also where that user could not walk to the data
//     folder (a clone under /root).
//
// It runs on Linux, elsewhere StartPostgres and StartRedis say what to set instead.
package embedded
