package figures

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
)

// FileVar names the variable with the file to which samples go, a line each. Without it they go nowhere.
const FileVar = "RUNNER_FIGURES"

// Sample is one measurement. Theirs is 0 where a figure is compared with its goal alone.
type Sample struct {
	Name   string  `json:"name"`
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs"`
	Unit   string  `json:"unit"` // of both, without spaces

	LeftOut string `json:"leftOut,omitempty"` // why there is nothing to compare with here; then ours and theirs are 0
}

// Ratio is ours over theirs, 0 without theirs.
func (s Sample) Ratio() float64 {
	if s.Theirs == 0 {
		return 0
	}
	return s.Ours / s.Theirs
}

// Give hands a sample to what prints the table.
func Give(s Sample) error {
	if _, err := Find(s.Name); err != nil {
		return err
	}
	path := os.Getenv(FileVar)
	if path == "" {
		return nil
	}
	line, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("the sample of %s: %w", s.Name, err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// Read returns the samples that were given, in order.
func Read(path string) (samples []Sample, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var s Sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return samples, fmt.Errorf("%s, line %d is no sample: %w", path, len(samples)+1, err)
		}
		samples = append(samples, s)
	}
	return samples, lines.Err()
}

// LeaveOut says of a figure that it cannot be measured here, as its peer cannot be had, in a sub-benchmark of its name. That
// is told with the reason, and is no failure.
func LeaveOut(b *testing.B, name string, why error) {
	b.Run(name, func(b *testing.B) {
		if err := Give(Sample{Name: name, Unit: "-", LeftOut: why.Error()}); err != nil {
			b.Fatal(err)
		}
		b.Skip("left out, because", why)
	})
}

// Run measures a figure in a sub-benchmark of its name: once measures ours and theirs, one right after the other, and is
// called as often as the benchmark is to run. What a user of go test sees is the mean.
func Run(b *testing.B, name, unit string, once func(b *testing.B) (ours, theirs float64)) {
	b.Run(name, func(b *testing.B) {
		var ours, theirs float64
		for b.Loop() {
			syscall.Sync() // what others left to be written is not to be written while this is measured
			s := Sample{Name: name, Unit: unit}
			s.Ours, s.Theirs = once(b)
			if b.Failed() {
				return
			}
			if err := Give(s); err != nil {
				b.Fatal(err)
			}
			ours, theirs = ours+s.Ours, theirs+s.Theirs
		}
		n := float64(b.N)
		b.ReportMetric(ours/n, "ours-"+unit)
		if theirs > 0 {
			b.ReportMetric(theirs/n, "theirs-"+unit)
			b.ReportMetric(ours/theirs, "×theirs")
		}
		b.ReportMetric(0, "ns/op") // it would hold both
	})
}
