package runner

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// builderLook is how often it is asked what a builder has on the disk, or a tenth of the time if the asking takes long.
const builderLook = 3 * time.Second

// errImageDisk ends images whose building needs more of the disk than a job may have.
var errImageDisk = errors.New("building the images needed more of the disk than limits.disk lets a job have")

// watchBuilder ends the work, by over, once the builder has more on the disk than limits.disk beyond what it kept of
// earlier builds.
func (st *imageStage) watchBuilder(ctx context.Context, over func(error)) (end func()) {
	most := st.s.attempt.Limits.DiskBytes
	if most <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var g sync.WaitGroup
	g.Go(func() {
		before := int64(-1)
		for {
			began := time.Now()
			used, err := builderDisk(ctx, st.builder)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil && before < 0:
				before = used
			case err == nil && used-before > most:
				over(errImageDisk)
				return
			}
			select {
			case <-time.After(max(builderLook, 10*time.Since(began))):
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { cancel(); g.Wait() }
}

// builderDisk is what a builder has on the disk of its engine, in bytes, without what is mounted in there.
func builderDisk(ctx context.Context, b Builder) (int64, error) {
	var out bytes.Buffer
	if err := b.Export(ctx, []string{"du", "-skx", "/var/lib/docker"}, &out); err != nil && out.Len() == 0 {
		return 0, err // it also complains of what vanishes meanwhile
	}
	kib, _, _ := bytes.Cut(out.Bytes(), []byte("\t"))
	n, err := strconv.ParseInt(string(bytes.TrimSpace(kib)), 10, 64)
	return n << 10, err
}
