//go:build linux

package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/runner-ci/runner/runner/wire"
)

// restoreCache asks for the job's cache and unpacks it, before the first command. A cache never fails a build: what
// is wrong is said in the log. An error means that the job cannot go on.
func (p *phases) restoreCache(ctx context.Context) error {
	spec := p.job.Cache
	if spec == nil {
		return nil
	}
	if len(spec.Paths) == 0 {
		p.log.say("Unable to initialize cache download: no paths specified to be cached")
		return nil
	}
	plan, err := p.planCache(ctx, *spec)
	if err == nil {
		p.out.settle() // what expanding the texts printed
		p.cache = plan
		plan.dirs = p.cacheDirs(plan)
		if spec.Restore || len(plan.dirs) > 0 {
			err = p.download(ctx, plan, !spec.Restore)
		}
	}
	if why := context.Cause(ctx); why != nil {
		return why
	}
	if err != nil {
		p.log.say("Unable to download cache: %v", err)
	}
	return nil
}

// download has the daemon mount the cache, or put it into the spool's directory, and unpacks that. empty asks for mounts
// alone.
func (p *phases) download(ctx context.Context, plan *cachePlan, empty bool) error {
	start := time.Now()
	request := wire.Request{Cache: &wire.CacheRequest{Key: plan.key, Fallback: plan.fallback, Paths: plan.version, Dirs: plan.names(), Empty: empty}}
	answer, err := p.requests.ask(ctx, request, func() int64 { return p.spooledSize(wire.PartOf(wire.RestoreFile)) })
	switch {
	case errors.Is(err, errUnanswered):
		return fmt.Errorf("no daemon answered for %s, so the build goes on without; the next build will find the cache again", requestPatience)
	case err != nil:
		return err
	case answer.Error != "":
		return errors.New(answer.Error)
	case answer.Cache == nil:
		answer.Cache = &wire.CacheAnswer{}
	case answer.Cache.Off != "":
		p.log.say("The cache is neither restored nor saved: %s", answer.Cache.Off)
		p.cache = nil
		return nil
	}
	if answer.Cache.Mounted {
		if err := p.useMounts(ctx, plan, *answer.Cache); err != nil {
			return err
		}
	}
	if empty {
		return nil
	}
	if plan.use = (&wire.CacheUse{Paths: plan.version}); !answer.Cache.Hit {
		p.log.say("No %s found", plan)
		return nil
	}
	found := "cache"
	if answer.Cache.Key != "" {
		found += " " + wire.Cut(answer.Cache.Key)
	}
	plan.hit = plan.key != "" && answer.Cache.Key == plan.key
	plan.use.Hit = true
	defer func() { plan.use.RestoreMillis = time.Since(start).Milliseconds() }()
	if answer.Cache.File == "" && plan.mounted {
		p.log.say("Restored %s: mounted %d bytes, in %s", found, answer.Cache.Bytes, time.Since(start).Round(time.Millisecond))
		return nil
	}
	count, err := p.unpackCache(ctx, plan)
	_ = p.spool.dir.RemoveAll(wire.RestoreFile)
	if err != nil {
		return err
	}
	p.log.say("Restored %s: %d file(s), %d bytes, in %s", found, count.files, count.bytes, time.Since(start).Round(time.Millisecond))
	return nil
}

func (p *phases) spooledSize(name string) int64 {
	info, err := p.spool.dir.Lstat(name)
	if err != nil || info.Mode()&fs.ModeType != 0 {
		return 0
	}
	return info.Size()
}

// saveCache packs the paths of the cache after a build in which every phase succeeded: what a failed one leaves may
// be half made, and a cache with a key is never changed again. An error means that the job cannot go on.
func (p *phases) saveCache(ctx context.Context) error {
	plan := p.cache
	if plan != nil && plan.use != nil && !p.failed {
		plan.use.WorkMillis = p.work.Milliseconds()
		p.keeps.cacheUse = plan.use
		defer func(start time.Time) { plan.use.SaveMillis = time.Since(start).Milliseconds() }(time.Now())
	}
	switch {
	case plan == nil || !p.job.Cache.Save:
		return nil
	case p.failed:
		p.log.say("The cache is not saved, because the build failed")
		return nil
	case plan.hit:
		p.log.say("The cache is not saved: the key %s has one already, which is never changed", plan.key)
		return nil
	}
	if plan.mounted {
		left, err := p.leaveCache(ctx, plan)
		if why := context.Cause(ctx); why != nil {
			return why
		}
		if err != nil {
			p.log.say("The cache is not saved: %v", err)
		}
		if left || err != nil {
			return nil
		}
	}
	start := time.Now()
	packed, err := p.packCache(ctx, plan)
	if why := context.Cause(ctx); why != nil {
		return why
	}
	switch {
	case err != nil:
		p.log.say("The cache is not saved: %v", err)
	case packed != nil:
		p.keeps.cache = packed
		p.log.say("Packed %s: %d file(s), %d bytes, in %s", plan, packed.Files, packed.Bytes, time.Since(start).Round(time.Millisecond))
	}
	return nil
}
