package daemon

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
)

// backupNames are the files that a backup may hold besides its header and its checksums.
var backupNames = regexp.MustCompile(`^(state|tests|access|secrets|artifacts)\.db$|^artifacts\.db\.segments/[0-9]{1,20}\.db$`)

// maxBackupJSON bounds header and checksums: the latter has a line for each segment.
const maxBackupJSON = 64 << 20

// VerifyBackup reads a whole backup and compares all that is in it with its checksums.
func VerifyBackup(r io.Reader) (BackupInfo, []BackupFile, error) {
	return readBackup(r, func(string, int64, io.Reader) error { return nil })
}

// readBackup reads a backup, which may be anything, and gives each file to take. What it returns without an error is whole.
func readBackup(r io.Reader, take func(name string, size int64, content io.Reader) error) (info BackupInfo, files []BackupFile, err error) {
	archive := tar.NewReader(r)
	var sums []BackupFile
	for sums == nil {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return info, nil, errors.New("the backup is not whole: its end with the checksums is missing; take another one")
		case err != nil:
			return info, nil, fmt.Errorf("the backup is damaged, or is none: %w", err)
		case len(files) == 0 && h.Name != backupHeader:
			return info, nil, fmt.Errorf("this is no backup of runner's: it begins with %.100q, want %s", h.Name, backupHeader)
		}
		sum := sha256.New()
		content := io.TeeReader(archive, sum)
		switch {
		case len(files) == 0:
			err = readHeader(content, &info)
		case h.Name == backupSums:
			err = readJSON(content, &sums)
		case h.Typeflag != tar.TypeReg || !backupNames.MatchString(h.Name) || slices.ContainsFunc(files, func(f BackupFile) bool { return f.Name == h.Name }):
			err = fmt.Errorf("it holds %.100q, which no backup does, or twice", h.Name)
		default:
			err = take(h.Name, h.Size, content)
		}
		if err == nil {
			_, err = io.Copy(io.Discard, content)
		}
		if err != nil {
			return info, nil, fmt.Errorf("reading %.100q of the backup: %w", h.Name, err)
		}
		if h.Name != backupSums {
			files = append(files, BackupFile{h.Name, h.Size, hex.EncodeToString(sum.Sum(nil))})
		}
	}
	if !slices.Equal(files, sums) {
		return info, nil, errors.New("the backup is damaged: its files are not those of its checksums; take another one")
	}
	for _, name := range []string{"state.db", "tests.db", "artifacts.db"} {
		if !slices.ContainsFunc(files, func(f BackupFile) bool { return f.Name == name }) {
			return info, nil, fmt.Errorf("the backup lacks %s", name)
		}
	}
	return info, files[1:], nil
}

func readHeader(r io.Reader, info *BackupInfo) error {
	if err := readJSON(r, info); err != nil {
		return err
	}
	if info.Format != backupFormat {
		return fmt.Errorf("it has format %d, this binary knows %d; use the binary of version %.100q that wrote it, or a newer one", info.Format, backupFormat, info.Version)
	}
	return nil
}

func readJSON(r io.Reader, v any) error {
	text, err := io.ReadAll(io.LimitReader(r, maxBackupJSON))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
