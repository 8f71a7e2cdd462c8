package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// breakpointVar tells the tools where the agent listens. Without it the build holds at no breakpoint.
const breakpointVar = "RUNNER_BREAKPOINT"

// breakpointFile is the socket's name in the agent's directory of temporary files.
const breakpointFile = "breakpoint"

// tempDir is the agent's directory of temporary files, below its home.
const tempDir = "output/tmp"

// What the tools ask, one line each.
const (
	askPause  = "pause"
	askResume = "resume"
)

// breakpoint is the tool codebuild-breakpoint. It ends when the build goes on. Its exit status is 0 whatever
// happens: a build that nobody can hold is no failed build.
func breakpoint(args []string) int {
	if len(args) > 0 {
		fmt.Fprintln(os.Stderr, "codebuild-breakpoint: it takes no arguments; they are ignored")
	}
	path := os.Getenv(breakpointVar)
	if path == "" {
		fmt.Println("codebuild-breakpoint: ignored, because this build was started without a debug session")
		return 0
	}
	answer, err := askAgent(path, askPause)
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "codebuild-breakpoint: ignored, because the agent does not answer: %v\n", err)
	case answer == "ignored":
		fmt.Println("codebuild-breakpoint: ignored, because this build was held too often already")
	}
	return 0
}

// resume is the tool codebuild-resume. A shell that was opened from outside lacks the job's variables, so the agent
// is looked for where the tool itself lies.
func resume([]string) int {
	path := os.Getenv(breakpointVar)
	if path == "" {
		home := DefaultHome
		if filepath.IsAbs(os.Args[0]) {
			home = filepath.Join(filepath.Dir(os.Args[0]), "../..")
		}
		path = filepath.Join(home, tempDir, breakpointFile)
	}
	answer, err := askAgent(path, askResume)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fmt.Println("codebuild-resume: this build was started without a debug session, nothing waits")
	case err != nil:
		fmt.Fprintf(os.Stderr, "codebuild-resume: the agent does not answer: %v\n", err)
		return 1
	case answer == "0":
		fmt.Println("codebuild-resume: nothing waits at a breakpoint")
	default:
		fmt.Printf("codebuild-resume: the build goes on (%s at a breakpoint)\n", answer)
	}
	return 0
}

// askAgent sends one line to the agent and waits for its answer, however long that takes.
func askAgent(path, question string) (string, error) {
	conn, err := dialUnix(path)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := conn.WriteString(question + "\n"); err != nil {
		return "", err
	}
	answer := readLine(conn)
	if answer == "" {
		return "", errors.New("it closed the connection")
	}
	return answer, nil
}

// readLine reads a short line, or what there is of one when the other side ends.
func readLine(conn *os.File) string {
	var line []byte
	for one := make([]byte, 1); len(line) < 64; {
		n, err := conn.Read(one)
		if n == 0 && err != nil || n == 1 && one[0] == '\n' {
			break
		}
		line = append(line, one[:n]...)
	}
	return string(line)
}
