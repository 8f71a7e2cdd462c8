package scheduler

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A build's key sorts a project's builds by number: name, NUL, number. Names hold no NUL.
func buildKey(project string, n int) []byte {
	return binary.BigEndian.AppendUint64(append([]byte(project), 0), uint64(n))
}

// A job's key sorts a build's jobs in the plan's order.
func jobKey(build []byte, index int) []byte {
	k := make([]byte, 0, len(build)+5)
	k = append(append(k, build...), 0)
	return binary.BigEndian.AppendUint32(k, uint32(index))
}

// ParseBuildID splits "api#142" (or "api/142", which needs no quotes in a shell or a URL).
func ParseBuildID(id string) (project string, n int, err error) {
	i := strings.LastIndexAny(id, "#/")
	if i > 0 {
		if n, err := strconv.Atoi(id[i+1:]); err == nil && n > 0 {
			return id[:i], n, nil
		}
	}
	return "", 0, fmt.Errorf("build %q: expected a name like api#142: %w", id, ErrNotFound)
}

func keyOf(build string) ([]byte, error) {
	project, n, err := ParseBuildID(build)
	if err != nil {
		return nil, err
	}
	return buildKey(project, n), nil
}

func triggerID(seq uint64) string { return fmt.Sprintf("t%010d", seq) }

func triggerSeq(id string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, "t"), 10, 64)
	if err != nil || !strings.HasPrefix(id, "t") {
		return 0, fmt.Errorf("trigger %q: %w", id, ErrNotFound)
	}
	return n, nil
}
