package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// keptKeys reads the signing key, made at the first start: tokens and tickets stay good over restarts, and no two
// installations share a key.
func keptKeys(path string) (string, error) {
	keys, err := readKeys(path)
	if !errors.Is(err, os.ErrNotExist) {
		return keys, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o711); err != nil {
		return "", err
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	keys = "k1:" + base64.RawURLEncoding.EncodeToString(secret)
	// Written aside and linked into place: a crash leaves no cut-off key, and of two that start at once one wins.
	aside, err := os.CreateTemp(filepath.Dir(path), "token-keys-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(aside.Name())
	_, err = aside.WriteString(keys + "\n")
	if err := errors.Join(err, aside.Sync(), aside.Close()); err != nil {
		return "", err
	}
	if err := os.Link(aside.Name(), path); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	// Nothing may be signed with a key whose name a power cut could take away.
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	return readKeys(path)
}

func readKeys(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	keys := strings.TrimSpace(string(b))
	if keys == "" {
		return "", fmt.Errorf("%s is empty: restore it from a backup; or remove it, and a new key is made, with which no access "+
			"token and no ticket of before is good any more", path)
	}
	return keys, nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
