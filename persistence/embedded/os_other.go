//go:build !linux

package embedded

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// errUnsupported: what keeps a child from outliving us (a death signal) and a folder from being stuck
// (inherited locks) is Linux's.
var errUnsupported = errors.New("private Postgres and Redis servers need Linux, not " + runtime.GOOS +
	": set DATABASE_URL and REDIS_URL to servers of your own")

type identity struct{}

func supported() error { return errUnsupported }

func setChildAttributes(*exec.Cmd, syscall.Signal) error { return nil }

func isGone(err error) bool { return errors.Is(err, os.ErrProcessDone) }

func serverIdentity(string) (identity, error) { return identity{}, errUnsupported }

func (identity) assume(*exec.Cmd) {}

func (identity) give(string) error { return nil }

func (identity) dropped() bool { return false }

func tryFlock(*os.File) (bool, error) { return false, errUnsupported }

func mine(os.FileInfo) bool { return false }

func freezeFamily(int) error { return errUnsupported }

func thawFamily(int) error { return errUnsupported }

func killFamily(int) error { return errUnsupported }
