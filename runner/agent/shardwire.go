package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/runner-ci/runner/runner/wire"
)

// codebuild-tests-run asks the agent over a socket in its home, one call a connection, by lines of JSON: first Join,
// after whose line come the names, one a line; then Take and Done in turn. A Join that asks which files to split comes
// before. Each is answered by one line.

// testsVar tells codebuild-tests-run where the agent listens.
const testsVar = "RUNNER_TESTS"

// testsSocket is the socket's name in the agent's directory of temporary files.
const testsSocket = "tests"

// shardAsk is one question of the tool. One of its fields is set.
type shardAsk struct {
	Join *shardJoin      `json:"join,omitempty"`
	Take bool            `json:"take,omitempty"`
	Done *wire.TestsDone `json:"done,omitempty"`
}

// shardJoin is the beginning of a call.
type shardJoin struct {
	Strategy string `json:"strategy"`
	Bytes    int    `json:"bytes"` // of the list that follows
	Split    bool   `json:"split,omitempty"`
}

// shardAnswer is what the agent says. Error tells that nothing could be had.
type shardAnswer struct {
	wire.TestsAnswer
	Error string `json:"error,omitempty"`
}

// maxShardLine bounds one line of either side.
const maxShardLine = wire.MaxLine

// readJSON reads one line into v.
func readJSON(r *bufio.Reader, v any) error {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxShardLine {
			return fmt.Errorf("a line of more than %d bytes", maxShardLine)
		}
		line = append(line, part...)
		if err == nil {
			return json.Unmarshal(line, v)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
}

func writeJSON(to *os.File, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = to.Write(append(line, '\n'))
	return err
}
