package agent

import (
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
)

// The strategies by which codebuild-tests-run divides test files.
const (
	strategyEqual     = "equal-distribution"
	strategyStability = "stability"
)

// equalShare returns the part of sorted files that shard index of count takes: contiguous, with sizes that
// differ by at most one.
func equalShare(files []string, index, count int) []string {
	size, extra := len(files)/count, len(files)%count
	from := index*size + min(index, extra)
	to := from + size
	if index < extra {
		to++
	}
	return files[from:to]
}

// stableShare returns the files that shard index of count takes by rendezvous hashing: a file stays on its shard
// when others come or go, and moves only to the new shard when one is added.
func stableShare(files []string, index, count int) []string {
	return slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		return shardOf(file, count) != index
	})
}

func shardOf(file string, count int) int {
	shards := make([]int, count)
	for i := range shards {
		shards[i] = i
	}
	return slices.MaxFunc(shards, func(a, b int) int { return cmp.Compare(weight(file, a), weight(file, b)) })
}

// weight mixes a file's name and a shard's number. FNV alone leaves neighbours alike, so its bits are mixed by
// the finalizer of MurmurHash3.
func weight(file string, shard int) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strconv.Itoa(shard) + "/" + file))
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}
