package daemon

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entry is one of a tar, as it is written by hand.
type entry struct {
	name string
	kind byte
	text string
}

// tarred writes entries as a tar.
func tarred(t *testing.T, entries ...entry) *bytes.Buffer {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.text)), Mode: 0o600}
		if e.kind == tar.TypeSymlink {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text[:h.Size])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &out
}

// TestABackupOfEveryDatabaseIsRead writes one as the daemon does, with every file that a data directory can have.
func TestABackupOfEveryDatabaseIsRead(t *testing.T) {
	dir := t.TempDir()
	var out bytes.Buffer
	b := newBackupWriter(&out)
	b.json(backupHeader, BackupInfo{Format: backupFormat})
	l := layout{data: dir}
	for _, path := range []string{l.state(), l.tests(), l.access(), l.secrets(), l.blobs()} {
		if err := os.WriteFile(path, []byte("rows of "+path), 0o600); err != nil {
			t.Fatal(err)
		}
		b.file(context.Background(), filepath.Base(path), path)
	}
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if _, files, err := VerifyBackup(&out); err != nil || len(files) != 5 {
		t.Errorf("%d files are read (%v), want 5", len(files), err)
	}
}

func TestATarThatIsNoBackupIsRefused(t *testing.T) {
	header, err := json.Marshal(BackupInfo{Format: backupFormat})
	if err != nil {
		t.Fatal(err)
	}
	first := entry{backupHeader, tar.TypeReg, string(header)}
	state := entry{"state.db", tar.TypeReg, "rows"}
	for name, tt := range map[string]struct {
		entries []entry
		want    string
	}{
		"a path that leads out":      {[]entry{first, {"../state.db", tar.TypeReg, "x"}}, "which no backup does"},
		"one that leads out below":   {[]entry{first, {"artifacts.db.segments/../../1.db", tar.TypeReg, "x"}}, "which no backup does"},
		"an absolute path":           {[]entry{first, {"/etc/state.db", tar.TypeReg, "x"}}, "which no backup does"},
		"a file of the daemon's own": {[]entry{first, {"token", tar.TypeReg, "x"}}, "which no backup does"},
		"a link":                     {[]entry{first, {"state.db", tar.TypeSymlink, ""}}, "which no backup does"},
		"a file twice":               {[]entry{first, state, state}, "or twice"},
		"the header twice":           {[]entry{first, first}, "which no backup does"},
		"the header last":            {[]entry{state, first}, "it begins with"},
		"no checksums":               {[]entry{first, state}, "not whole"},
		"checksums before the files": {[]entry{first, {backupSums, tar.TypeReg, "[]"}, state}, "damaged"},
		"checksums of other files":   {[]entry{first, state, {backupSums, tar.TypeReg, `[{"name":"state.db","bytes":4,"sha256":"00"}]`}}, "damaged"},
	} {
		var taken []string
		_, _, err := readBackup(tarred(t, tt.entries...), func(name string, _ int64, _ io.Reader) error {
			taken = append(taken, name)
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
		if got := strings.Join(taken, " "); got != "" && got != "state.db" {
			t.Errorf("%s: %s were taken", name, got)
		}
	}
}

// TestABackupThatClaimsMoreThanTheDiskHasIsRefused has an archive say that a file has a petabyte, as a sparse one of a few bytes can.
func TestABackupThatClaimsMoreThanTheDiskHasIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	err := writeSynced(path, 1<<50, strings.NewReader("a few bytes"))
	if err == nil || !strings.Contains(err.Error(), "room for") || !strings.Contains(err.Error(), "--data") {
		t.Errorf("got %v", err)
	}
	if info, err := os.Stat(path); err == nil && info.Size() > 0 {
		t.Errorf("%d bytes of it were written", info.Size())
	}
}
