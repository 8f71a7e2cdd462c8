package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

func open(t *testing.T, path string) (*Journal, [][]byte) {
	t.Helper()
	var records [][]byte
	j, err := Open(path, func(r []byte) error { records = append(records, r); return nil })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, records
}

// written makes a journal of n records and returns its bytes.
func written(t *testing.T, n int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := open(t, path)
	for i := range n {
		if err := j.Append(fmt.Appendf(nil, "record %d of %d", i, n)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestCrashAtEveryByte cuts the file at each length there is. What is whole comes back, and appending goes on.
func TestCrashAtEveryByte(t *testing.T) {
	data := written(t, 12)
	path := filepath.Join(t.TempDir(), "journal")
	for cut := range len(data) + 1 {
		if err := os.WriteFile(path, data[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		j, before := open(t, path)
		if err := j.Append([]byte("after the crash")); err != nil {
			t.Fatal(err)
		}
		j.Close()
		j, after := open(t, path)
		j.Close()
		if len(after) != len(before)+1 || !bytes.Equal(after[len(before)], []byte("after the crash")) {
			t.Fatalf("cut at %d: %d records, then %d", cut, len(before), len(after))
		}
		for i, record := range before {
			if want := fmt.Sprintf("record %d of 12", i); string(record) != want {
				t.Fatalf("cut at %d: record %d is %q", cut, i, record)
			}
		}
	}
}

// TestDamageAtEveryByte flips each byte. Nothing false may come back, and what stands before the damage must.
func TestDamageAtEveryByte(t *testing.T) {
	data := written(t, 8)
	path := filepath.Join(t.TempDir(), "journal")
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 0x5a
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		j, records := open(t, path)
		j.Close()
		for n, record := range records {
			if want := fmt.Sprintf("record %d of 8", n); string(record) != want {
				t.Fatalf("byte %d flipped: record %d came back as %q", i, n, record)
			}
		}
		if whole := i / (len(data) / 8); len(records) < whole {
			t.Fatalf("byte %d flipped: %d records, want %d", i, len(records), whole)
		}
	}
}

func TestAppendFromManyGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := open(t, path)
	var writers sync.WaitGroup
	for writer := range 8 {
		writers.Go(func() {
			for i := range 50 {
				if err := j.Append(fmt.Appendf(nil, "%d/%d", writer, i), []byte("twin")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	j.Close()
	_, records := open(t, path)
	if len(records) != 800 {
		t.Fatalf("%d records, want 800", len(records))
	}
	for i := 1; i < len(records); i += 2 {
		if string(records[i]) != "twin" {
			t.Fatalf("record %d is %q: another append came between", i, records[i])
		}
	}
}

func TestRefusesWhatItCouldNotRead(t *testing.T) {
	j, _ := open(t, filepath.Join(t.TempDir(), "journal"))
	for _, record := range [][]byte{nil, make([]byte, MaxRecord+1)} {
		if err := j.Append(record); err == nil {
			t.Errorf("a record of %d bytes was taken", len(record))
		}
	}
}
