package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/runner-ci/runner/source/pack"
)

// mirror is one bare repository. It need not exist yet.
type mirror struct {
	dir string
	url string // in its one form
}

func openMirror(store string, l location) mirror {
	return mirror{dir: filepath.Join(store, "mirrors", l.key()), url: l.String()}
}

func mirrorOf(store, url string) (mirror, error) {
	l, err := locate(url)
	return openMirror(store, l), err
}

func (m mirror) packs() string   { return filepath.Join(m.dir, "objects", "pack") }
func (m mirror) staging() string { return filepath.Join(m.dir, "staging") }

func (m mirror) exists() bool {
	_, err := os.Stat(filepath.Join(m.dir, "HEAD"))
	return err == nil
}

// lock is held by whoever changes the mirror.
func (m mirror) lock(ctx context.Context) (*fileLock, error) {
	return lockFile(ctx, m.dir+".lock", exclusive)
}

// create makes an empty bare repository, by a rename. The caller holds the lock.
func (m mirror) create() (made bool, err error) {
	if m.exists() {
		return false, nil
	}
	tmp, err := os.MkdirTemp(filepath.Dir(m.dir), ".new-*")
	if err != nil {
		return false, fmt.Errorf("making a mirror: %w", err)
	}
	defer os.RemoveAll(tmp)
	for _, d := range []string{"objects/pack", "objects/info", "refs/heads", "refs/tags", "staging"} {
		if err := os.MkdirAll(filepath.Join(tmp, d), 0o755); err != nil {
			return false, err
		}
	}
	for name, body := range map[string]string{
		"HEAD": "ref: refs/heads/main\n",
		"config": "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n" +
			"[gc]\n\tauto = 0\n[runner]\n\turl = " + quoteConfig(m.url) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(tmp, name), []byte(body), 0o644); err != nil {
			return false, err
		}
	}
	if err := os.Rename(tmp, m.dir); err != nil {
		return false, fmt.Errorf("making a mirror: %w", err)
	}
	return true, os.Chmod(m.dir, 0o755)
}

// clean removes what a process that died left half done. The caller holds the lock.
func (m mirror) clean() error {
	left, err := os.ReadDir(m.staging())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range left {
		if err := os.RemoveAll(filepath.Join(m.staging(), e.Name())); err != nil {
			return err
		}
	}
	return os.MkdirAll(m.staging(), 0o755)
}

// view is the mirror's objects, open for reading. While it is, no pack is deleted.
type view struct {
	*pack.Objects
	use  *fileLock
	done func() // of one from the shelf, which holds no lock
}

func (m mirror) open(ctx context.Context) (*view, error) {
	use, err := m.use(ctx)
	if err != nil {
		return nil, err
	}
	return m.openUsed(use, func(string) bool { return true })
}

func (m mirror) use(ctx context.Context) (*fileLock, error) {
	return lockFile(ctx, m.dir+".use", shared)
}

// openUsed opens the packs that are wanted for whoever holds the lock, which the view then holds.
func (m mirror) openUsed(use *fileLock, want func(file string) bool) (*view, error) {
	o, err := pack.OpenSome(m.packs(), want)
	if err != nil {
		use.unlock()
		var corrupt *pack.CorruptError
		if errors.As(err, &corrupt) {
			return nil, fail(KindCorrupt, "remove the mirror "+m.dir+", and it is fetched anew", "the mirror is damaged: %v", err)
		}
		return nil, err
	}
	return &view{Objects: o, use: use}, nil
}

func (v *view) close() {
	if v == nil {
		return
	}
	if v.done != nil {
		v.done()
		return
	}
	v.Close()
	v.use.unlock()
}

// head returns the default branch: "refs/heads/main".
func (m mirror) head() string {
	data, err := os.ReadFile(filepath.Join(m.dir, "HEAD"))
	if err != nil {
		return ""
	}
	ref, _ := strings.CutPrefix(strings.TrimSpace(string(data)), "ref: ")
	return ref
}

func (m mirror) setHead(ref string) error {
	if ref == m.head() {
		return nil
	}
	return writeAtomic(filepath.Join(m.dir, "HEAD"), []byte("ref: "+ref+"\n"))
}

// quoteConfig writes a value as git's configuration reads it back.
func quoteConfig(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}
